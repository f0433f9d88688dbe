import { assert, assertEquals, assertMatch } from "@std/assert";
import { createQueueWorld, failed } from "./queue_world.ts";
import { settle } from "./virtual_time.ts";

const HOUR_MS = 3_600_000;

for (const kind of ["done", "gone"] as const) {
  Deno.test(`an action ends with the first answer that counts: ${kind}`, async () => {
    const { give, attempts, clock } = await createQueueWorld();
    const action = give("a", "restart", 60_000);
    assertEquals([attempts.length, action.result], [1, undefined]);
    await attempts[0]!.end(kind);
    assertEquals([action.result, clock.timers], [kind, 0]);
  });
}

Deno.test("an action that is refused is not tried again", async () => {
  const { give, attempts, clock } = await createQueueWorld();
  const action = give("a", "send", 60_000);
  const { error } = failed("answer") as Extract<ReturnType<typeof failed>, { kind: "failed" }>;
  await attempts[0]!.end({ kind: "refused", error });
  await clock.pass(HOUR_MS);
  assertEquals([action.result, attempts.length], ["refused", 1]);
});

Deno.test("an action that fails is tried again, densely at first, until its time is over", async () => {
  const { give, attempts, clock } = await createQueueWorld({ answer: () => failed() });
  const action = give("a", "restart", 10_000);
  await clock.pass(HOUR_MS);
  assertEquals(action.result, "timed-out");
  const times = attempts.map(({ at }) => at);
  assertEquals(times.slice(0, 5), [0, 200, 500, 950, 1_625]);
  assert(times.length > 20 && times.at(-1)! > 9_600 && times.at(-1)! < 10_000, `${times}`);
  assert(action.endedAt >= times.at(-1)! && action.endedAt <= 10_000, `${action.endedAt}`);
  assertEquals(clock.timers, 0);
});

Deno.test("an action whose client API was not to be found ends as unresolved", async () => {
  let isUnresolved = true;
  const { give, clock } = await createQueueWorld({ answer: () => failed("dns", isUnresolved) });
  const first = give("a", "restart", 5_000);
  await clock.pass(5_000);
  const second = give("b", "restart", 5_000);
  await clock.pass(1_000);
  // The last failure is what counts.
  isUnresolved = false;
  await clock.pass(4_000);
  assertEquals([first.result, second.result], ["unresolved", "timed-out"]);
});

// Time left, and what an attempt may take of it.
for (
  const [act, msLeft, timeoutMs] of [
    ["restart", 60_000, 5_000],
    ["restart", 15_000, 5_000],
    ["restart", 1_500, 500],
    ["restart", 30, 50],
    ["send", 1_500, 500],
    ["send", 0, 1_000],
    ["send", -60_000, 1_000],
  ] as const
) {
  Deno.test(`a ${act} with ${msLeft} ms left has ${timeoutMs} ms for an attempt`, async () => {
    const { give, attempts } = await createQueueWorld();
    give("a", act, msLeft);
    assertEquals(attempts.map(({ timeoutMs }) => timeoutMs), [timeoutMs]);
  });
}

Deno.test("a restart whose time is over is not tried, a send once", async () => {
  const { give, clock, attempts } = await createQueueWorld({ answer: () => failed() });
  const restarts = [give("a", "restart", 0), give("b", "restart", -1)];
  const sends = [give("c", "send", 0), give("d", "send", -1)];
  await clock.pass(10_000);
  assertEquals(attempts.map(({ id }) => id), ["c", "d"]);
  assertEquals([...restarts, ...sends].map(({ result }) => result), Array(4).fill("timed-out"));
});

Deno.test("an action that nobody wants is not tried, at first or again", async () => {
  const { give, clock, attempts } = await createQueueWorld();
  const running = give("a", "restart", 60_000);
  for (let i = 1; i < 64; i++) give(`${i}`, "restart", 60_000);
  const queued = give("b", "restart", 60_000);
  running.isWanted = queued.isWanted = false;
  await attempts[0]!.end(failed());
  assertEquals([running.result, queued.result, attempts.length], ["cancelled", "cancelled", 64]);
  const told = give("c", "restart", 60_000);
  assertEquals(attempts.at(-1)!.id, "c");
  await attempts.at(-1)!.end(failed());
  told.isWanted = false;
  await clock.pass(1_000);
  assertEquals([told.result, attempts.length], ["cancelled", 65]);
});

Deno.test("an action that nobody wants does not wait for its turn after a 429", async () => {
  const { give, attempts, clock } = await createQueueWorld();
  const action = give("a", "restart", 60_000);
  action.isWanted = false;
  await attempts[0]!.end({ kind: "limited", retryAfterMs: 30_000 });
  assertEquals([action.result, clock.timers], ["cancelled", 0]);
});

Deno.test("what was done counts, wanted or not", async () => {
  const { give, attempts } = await createQueueWorld();
  const action = give("a", "send", 60_000);
  action.isWanted = false;
  await attempts[0]!.end("done");
  assertEquals(action.result, "done");
});

Deno.test("64 attempts are under way at once; then come sends, then the earliest deadline", async () => {
  const { give, attempts, started } = await createQueueWorld();
  for (let i = 0; i < 64; i++) give(`first ${i}`, "restart", 60_000);
  await started();
  give("late", "restart", 50_000);
  give("early", "restart", 40_000);
  give("late", "send", 3_000_000);
  give("early", "send", 2_000_000);
  give("middle", "restart", 45_000);
  assertEquals(await started(), []);
  const order: string[] = [];
  for (let i = 0; i < 5; i++) {
    await attempts[i]!.end("done");
    order.push(...await started());
  }
  assertEquals(order, [
    "send early",
    "send late",
    "restart early",
    "restart middle",
    "restart late",
  ]);
});

Deno.test("actions end at their deadline although no place is free", async () => {
  const { give, attempts, clock } = await createQueueWorld();
  for (let i = 0; i < 64; i++) give(`first ${i}`, "restart", 60_000);
  const restart = give("a", "restart", 1_000);
  const send = give("a", "send", 1_000);
  await clock.pass(999);
  assertEquals(restart.result, undefined);
  await clock.pass(1);
  assertEquals([restart.result, send.result], ["timed-out", undefined]);
  // The send has one attempt to its credit.
  await attempts[0]!.end("done");
  assertEquals([attempts.at(-1)!.act, attempts.at(-1)!.timeoutMs], ["send", 1_000]);
  await attempts.at(-1)!.end("done");
  assertEquals(send.result, "done");
});

Deno.test("a send that was tried ends at its deadline like any other action", async () => {
  const { give, attempts, clock } = await createQueueWorld();
  const send = give("a", "send", 1_000);
  await attempts[0]!.end(failed());
  for (let i = 0; i < 64; i++) give(`${i}`, "restart", 60_000);
  await clock.pass(1_000);
  assertEquals([send.result, send.endedAt], ["timed-out", 1_000]);
  await attempts[1]!.end("done");
  assertEquals(attempts.length, 65);
});

Deno.test("a server that hangs keeps nobody else waiting", async () => {
  const { give, attempts, clock } = await createQueueWorld();
  for (let i = 0; i < 1_000; i++) give(`${i}`, "send", 60_000, "hangs.example");
  assertEquals(attempts.length, 64);
  const other = give("a", "restart", 60_000, "works.example");
  assertEquals(attempts.at(-1)!.serverName, "works.example");
  await attempts.at(-1)!.end("done");
  assertEquals([other.result, clock.monotonic()], ["done", 0]);
});

Deno.test("of a server that fails throughout four are asked at once, until one answers", async () => {
  const { give, attempts, clock } = await createQueueWorld();
  for (let i = 0; i < 200; i++) give(`${i}`, "restart", HOUR_MS);
  for (let i = 0; i < 20; i++) await attempts[i]!.end(failed());
  assertEquals(attempts.length, 64 + 19);
  for (let i = 20; i < 83; i++) await attempts[i]!.end(failed());
  // All that were under way have failed: 4 are now.
  assertEquals(attempts.length, 83 + 4);
  await clock.pass(60_000);
  assertEquals(attempts.length, 83 + 4);
  await attempts[83]!.end("gone");
  assertEquals(attempts.length, 83 + 4 + 61);
});

Deno.test("what may not be done waits, without standing in the way of the other act", async () => {
  const { give, allowed, started, clock } = await createQueueWorld({
    answer: () => ({ kind: "done" }),
  });
  allowed.delete("restart");
  const restart = give("a", "restart", 10_000);
  const short = give("b", "restart", 600);
  const send = give("c", "send", 10_000);
  assertEquals(await started(), ["send c"]);
  assertEquals([restart.result, send.result], [undefined, "done"]);
  await clock.pass(600);
  assertEquals([short.result, short.endedAt], ["timed-out", 600]);
  allowed.add("restart");
  await clock.pass(249);
  assertEquals(await started(), []);
  await clock.pass(1);
  assertEquals(await started(), ["restart a"]);
  assertEquals([restart.result, clock.timers], ["done", 0]);
});

Deno.test("a send that may not be done is not forgotten at its deadline", async () => {
  const { give, allowed, clock, attempts } = await createQueueWorld({ answer: () => failed() });
  allowed.delete("send");
  const kept = give("a", "send", 1_000);
  const given = give("b", "send", 1_000);
  await clock.pass(15_000);
  assertEquals([kept.result, attempts.length], [undefined, 0]);
  given.isWanted = false;
  allowed.add("send");
  await clock.pass(250);
  assertEquals([kept.result, given.result, attempts.length], ["timed-out", "cancelled", 1]);
  assertEquals(clock.timers, 0);
});

Deno.test("429 makes an action wait exactly as told, and all others of the server as long", async () => {
  const { give, attempts, clock } = await createQueueWorld();
  const first = give("a", "restart", 60_000);
  await attempts[0]!.end({ kind: "limited", retryAfterMs: 3_000 });
  const send = give("b", "send", 60_000);
  const other = give("c", "restart", 60_000, "other.example");
  assertEquals(attempts.slice(1).map(({ id }) => id), ["c"]);
  await clock.pass(2_999);
  assertEquals(attempts.length, 2);
  await clock.pass(1);
  // The pause is over; what was taken before says one at a time, and sends go first.
  assertEquals(attempts.slice(2).map(({ id, at }) => [id, at]), [["b", 3_000]]);
  await attempts[2]!.end("done");
  await clock.pass(10_000);
  await attempts[3]!.end("done");
  assertEquals([first.result, send.result, other.result], ["done", "done", undefined]);
});

Deno.test("429 resets the back-off, and a single action is never late for what it was told", async () => {
  const { give, attempts, clock } = await createQueueWorld();
  give("a", "restart", HOUR_MS);
  for (let i = 0; i < 8; i++) {
    await attempts[i]!.end(failed());
    await clock.pass(10_000);
  }
  const before = clock.monotonic();
  await attempts[8]!.end({ kind: "limited", retryAfterMs: 1_000 });
  await clock.pass(1_000);
  assertEquals(attempts[9]!.at, before + 1_000);
  await attempts[9]!.end(failed());
  await clock.pass(10_000);
  // Sooner, as after a first failure, but for the pace of one a second.
  assertEquals(attempts[10]!.at - attempts[9]!.at, 1_000);
});

Deno.test("a told wait beyond the deadline is not waited for: one last attempt before it", async () => {
  const told = { kind: "limited", retryAfterMs: HOUR_MS } as const;
  const { give, attempts, clock } = await createQueueWorld({ answer: () => told });
  const restart = give("a", "restart", 60_000);
  await clock.pass(60_000);
  assertEquals(attempts.map(({ at }) => at), [0, 59_000]);
  assertEquals([restart.result, restart.endedAt], ["timed-out", 59_000]);
  // Another one comes during the pause: it has its attempt, late.
  const send = give("b", "send", 1_000);
  await clock.pass(1_000);
  assertEquals(attempts.slice(2).map(({ at }) => at), [60_750]);
  assertEquals([send.result, clock.timers], ["timed-out", 0]);
});

Deno.test("a server that says to come back at once is given a moment", async () => {
  const told = { kind: "limited", retryAfterMs: 0 } as const;
  const { give, attempts, clock } = await createQueueWorld({ answer: () => told });
  give("a", "restart", 10_000);
  await clock.pass(10_000);
  assert(attempts.length <= 101, `${attempts.length}`);
});

Deno.test("an attempt that breaks down gives its place back", async () => {
  const { give, attempts, clock } = await createQueueWorld({
    answer: () => {
      throw new TypeError("a bug");
    },
  });
  const action = give("a", "restart", 300);
  await clock.pass(300);
  assertEquals([action.result, attempts.length > 1], ["timed-out", true]);
});

Deno.test("the log tells once that a server fails, and once that it works again", async () => {
  let isDown = true;
  const { give, clock, logText } = await createQueueWorld({
    answer: () => isDown ? failed() : { kind: "done" },
  });
  for (let i = 0; i < 100; i++) give(`secret-${i}`, "restart", 20_000);
  await clock.pass(15_000);
  isDown = false;
  await clock.pass(10_000);
  const lines = (await logText()).trim().split("\n").map((line) => JSON.parse(line));
  const told = lines.filter(({ level }) => level !== "debug");
  assertEquals(told.map(({ level }) => level), ["warning", "info"]);
  assertMatch(JSON.stringify(told[0]), /cannot be managed.*no luck.*example\.org/);
  assertMatch(JSON.stringify(told[1]), /work again.*example\.org/);
  assert(lines.length > 100);
  for (const line of lines) assertEquals(/secret-|identity|room/.test(JSON.stringify(line)), false);
});

Deno.test("the log does not tell of single failures, but of one action that fails for long", async () => {
  let attempt = 0;
  const { give, clock, logText } = await createQueueWorld({
    answer: () => ++attempt % 3 === 0 ? { kind: "done" } : failed(),
  });
  for (let i = 0; i < 100; i++) give(`${i}`, "restart", 60_000);
  await clock.pass(60_000);
  assertEquals(/"level":"(?!debug)/.test(await logText()), false);
  const failing = await createQueueWorld({ answer: () => failed() });
  failing.give("a", "restart", 60_000);
  await failing.clock.pass(1_999);
  assertEquals((await failing.logText()).includes("warning"), false);
  await failing.clock.pass(1_000);
  assertMatch(await failing.logText(), /"level":"warning"/);
});

Deno.test("the log advises once where a server limits", async () => {
  const { give, attempts, clock, logText } = await createQueueWorld();
  give("a", "restart", HOUR_MS);
  for (let i = 0; i < 10; i++) {
    await attempts[i]!.end({ kind: "limited", retryAfterMs: 5_000 });
    await clock.pass(5_000);
  }
  await attempts[10]!.end("done");
  await settle();
  const warnings = (await logText()).match(/"level":"warning".*/g) ?? [];
  assertEquals(warnings.length, 1);
  assertMatch(warnings[0]!, /rc_delayed_event_mgmt/);
});

Deno.test("what a server has told holds for an action that comes later", async () => {
  const { give, attempts, clock } = await createQueueWorld();
  const first = give("a", "restart", 4_000);
  await attempts[0]!.end({ kind: "limited", retryAfterMs: 30_000 });
  first.isWanted = false;
  await clock.pass(3_000);
  assertEquals([first.result, clock.timers], ["cancelled", 0]);
  give("b", "restart", 60_000);
  await clock.pass(26_999);
  assertEquals(attempts.length, 1);
  await clock.pass(1);
  assertEquals(attempts.length, 2);
});

Deno.test("calls with a token do not wait for what those without are told, nor the other way round", async () => {
  const { give, attempts, clock, started } = await createQueueWorld({ withToken: ["b", "d"] });
  give("a", "restart", HOUR_MS - 1);
  await attempts[0]!.end({ kind: "limited", retryAfterMs: 60_000 });
  give("b", "restart", HOUR_MS - 1);
  give("c", "restart", HOUR_MS);
  assertEquals(await started(), ["restart a", "restart b"]);
  await attempts[1]!.end({ kind: "limited", retryAfterMs: 120_000 });
  give("d", "restart", HOUR_MS);
  await clock.pass(60_000);
  assertEquals(await started(), ["restart a"]);
  await attempts[2]!.end("done");
  await clock.pass(10_000);
  assertEquals(await started(), ["restart c"]);
  await clock.pass(50_000);
  assertEquals(await started(), ["restart b"]);
});
