import { assertEquals, assertMatch } from "@std/assert";
import { SfuError } from "../../../lib/sfu/twirp.ts";
import { createSfuWorld, REFUSED, room, settle } from "./sfu_world.ts";

type World = Awaited<ReturnType<typeof createSfuWorld>>;

const DOWN = () => {
  throw REFUSED;
};

/** Asks while time passes. */
async function look(world: World, name: string, ...identities: string[]) {
  const looking = world.look(name, ...identities);
  await world.pass(1_000);
  return await looking;
}

const UNKNOWN = { kind: "unknown", everAnswered: true } as const;
const ABSENT = { kind: "absent" } as const;

/** A watch that runs, with Alice in her call. */
async function createCall(options: { intervalMs?: number } = {}) {
  const world = await createSfuWorld(options);
  const sid = world.sfu.join("call", "alice");
  world.watch.start();
  const job = world.add("call", "alice");
  await world.pass(2_000);
  return { ...world, job, sid };
}

Deno.test("look() tells who is present, under which identity, and who is absent", async () => {
  const world = await createCall();
  world.sfu.join("call", "bob");
  assertEquals(await look(world, "call", "alice"), {
    kind: "present",
    sid: world.sid,
    identity: "alice",
  });
  assertEquals(await look(world, "call", "nobody", "alice"), {
    kind: "present",
    sid: world.sid,
    identity: "alice",
  });
  assertEquals(await look(world, "call", "nobody"), ABSENT);
  assertEquals(await look(world, "other", "alice"), ABSENT);
});

Deno.test("look() works before there is a job to watch, and without a heartbeat", async () => {
  const world = await createSfuWorld({ intervalMs: 30_000 });
  world.watch.start();
  assertEquals(await look(world, "call", "alice"), ABSENT);
  assertEquals(world.heartbeats(), []);
  assertEquals(world.clock.pending, []);
});

Deno.test("look() does not take anybody for absent before start() and after stop()", async () => {
  const world = await createSfuWorld();
  const sid = world.sfu.join("call", "alice");
  world.add("call", "bob", { seenAt: -Infinity });
  for (const change of [() => {}, world.watch.stop]) {
    change();
    assertEquals(await look(world, "call", "bob"), UNKNOWN);
    const present = { kind: "present", sid, identity: "alice" } as const;
    assertEquals(await look(world, "call", "alice"), present);
    world.watch.start();
    assertEquals(await look(world, "call", "bob"), ABSENT);
  }
});

Deno.test("look() does not know while the SFU does not answer, and says whether it ever did", async () => {
  const world = await createSfuWorld();
  world.watch.start();
  world.sfu.fail = DOWN;
  assertEquals(await look(world, "call", "alice"), { kind: "unknown", everAnswered: false });
  world.sfu.fail = () => {};
  assertEquals(await look(world, "call", "alice"), ABSENT);
  world.sfu.fail = DOWN;
  assertEquals(await look(world, "call", "alice"), UNKNOWN);
});

for (
  const { name, error } of [
    { name: "a refusal", error: new SfuError("answer", "no", { twirpCode: "unauthenticated" }) },
    { name: "a proxy's 404", error: new SfuError("answer", "HTTP 404", { status: 404 }) },
    { name: "a bug", error: new TypeError("bug") },
  ]
) {
  Deno.test(`look() does not take ${name} for absence`, async () => {
    const world = await createSfuWorld();
    world.watch.start();
    world.sfu.fail = () => {
      throw error;
    };
    assertEquals(await look(world, "call", "alice"), { kind: "unknown", everAnswered: false });
  });
}

Deno.test("the SFU is called every two seconds, while there is a job to watch", async () => {
  const world = await createSfuWorld();
  world.watch.start();
  await world.pass(10_000);
  assertEquals([world.heartbeats(), world.clock.pending], [[], []]);
  const job = world.add("call", "alice");
  await world.pass(5_000);
  assertEquals(world.heartbeats().map(({ at }) => at), [10_000, 12_000, 14_000]);
  world.jobs.remove(job);
  await world.pass(10_000);
  assertEquals([world.heartbeats().length, world.clock.pending], [3, []]);
  world.add("call", "alice");
  await settle();
  assertEquals(world.heartbeats().length, 4);
});

Deno.test("nothing is called before start() or after stop(), and no timer stays", async () => {
  const world = await createSfuWorld({ intervalMs: 30_000 });
  world.add("call", "alice");
  await world.pass(60_000);
  assertEquals([world.sfu.calls, world.clock.pending], [[], []]);
  world.watch.start();
  await world.pass(60_000);
  world.watch.stop();
  assertEquals(world.clock.pending, []);
  const calls = world.sfu.calls.length;
  world.watch.wake();
  await world.pass(60_000);
  assertEquals([world.sfu.calls.length, world.clock.pending], [calls, []]);
});

Deno.test("stop() while a call is under way sets no timer afterwards", async () => {
  const world = await createSfuWorld();
  const answer = Promise.withResolvers<void>();
  world.sfu.hold = () => answer.promise;
  world.watch.start();
  world.add("call", "alice");
  await settle();
  world.watch.stop();
  answer.resolve();
  await settle();
  assertEquals([world.sfu.calls.length, world.clock.pending], [1, []]);
});

Deno.test("stop() while a heartbeat is about to be made calls it off", async () => {
  const world = await createCall();
  const looking = world.look("call", "nobody");
  await world.pass(10);
  const again = world.look("call", "nobody");
  await world.pass(10);
  const calls = world.sfu.calls.length;
  world.watch.stop();
  await world.pass(200);
  await Promise.all([looking, again]);
  assertEquals([world.sfu.calls.length, world.clock.pending], [calls, []]);
});

Deno.test("an outage is noticed, told once, and followed by retries", async () => {
  const world = await createCall();
  world.sfu.fail = DOWN;
  world.sfu.calls.length = 0;
  await world.pass(10_000);
  assertEquals(world.heartbeats().map(({ at }) => at), [
    4_000,
    4_500,
    5_500,
    7_500,
    9_500,
    11_500,
  ]);
  assertEquals(world.sfu.looks(), []);
  const log = await world.logText();
  assertMatch(log, /warning.*the SFU does not answer.*connection refused/i);
  assertEquals(log.match(/does not answer/g)?.length, 1);
});

Deno.test("while the SFU is away, look() knows nothing and calls nothing", async () => {
  const world = await createCall();
  world.sfu.fail = DOWN;
  await world.pass(3_000);
  world.sfu.calls.length = 0;
  assertEquals(await world.look("call", "alice"), UNKNOWN);
  assertEquals(world.sfu.looks(), []);
});

Deno.test("who waits for a call when the SFU goes away gets no call", async () => {
  const world = await createCall();
  await world.pass(1_995);
  world.sfu.fail = DOWN;
  const looking = world.look("call", "alice");
  await world.pass(10);
  assertEquals([await looking, world.sfu.looks()], [UNKNOWN, []]);
});

Deno.test("after an outage rooms are created again at once, and absence counts after 30 s", async () => {
  const world = await createCall();
  world.add("other", "bob");
  world.sfu.fail = DOWN;
  await world.pass(4_000);
  world.sfu.crash();
  world.sfu.fail = () => {};
  await world.pass(1_500);
  assertEquals(world.ensured, ["call", "other"]);
  const backAt = 7_500;
  assertEquals(world.clock.monotonic(), backAt);
  assertEquals(await look(world, "call", "alice"), UNKNOWN);
  world.sfu.join("other", "bob");
  const sighting = await look(world, "other", "bob");
  assertEquals(sighting.kind, "present");
  await world.pass(backAt + 29_999 - world.clock.monotonic() - 1_000);
  assertEquals(await look(world, "call", "alice"), UNKNOWN);
  await world.pass(1);
  assertEquals(await look(world, "call", "alice"), ABSENT);
  assertMatch(await world.logText(), /info.*the SFU is back.*seconds=3\.5 rooms=2/i);
  assertEquals(world.ensured, ["call", "other"]);
});

Deno.test("after the grace every room is looked into once, also without polling", async () => {
  const world = await createCall({ intervalMs: 0 });
  const gone = world.add("other", "bob");
  world.sfu.fail = DOWN;
  await world.pass(2_000);
  world.sfu.crash();
  world.sfu.fail = () => {};
  await world.pass(1_000);
  world.sfu.join("call", "alice");
  await world.pass(29_000);
  assertEquals([world.job.told, gone.told], [[], []]);
  await world.pass(2_000);
  assertEquals([world.job.told.length, gone.told], [1, ["absent"]]);
  assertMatch(world.job.told[0]!, /present/);
  await world.pass(60_000);
  assertEquals(world.sfu.looks(), ["list call", "list other"]);
});

Deno.test("a second outage during the grace begins a new one", async () => {
  const world = await createCall();
  for (let i = 0; i < 2; i++) {
    world.sfu.fail = DOWN;
    await world.pass(2_000);
    world.sfu.fail = () => {};
    await world.pass(20_000);
  }
  assertEquals(await look(world, "call", "nobody"), UNKNOWN);
  await world.pass(15_000);
  assertEquals(await look(world, "call", "nobody"), ABSENT);
  assertEquals((await world.logText()).match(/is back/g)?.length, 2);
  assertEquals(world.sfu.looks().filter((look) => look.startsWith("list")), ["list call"]);
  world.sfu.calls.length = 0;
  world.sfu.fail = DOWN;
  await world.pass(3_500);
  const [first, second, third] = world.heartbeats().map(({ at }) => at);
  assertEquals([second! - first!, third! - second!], [500, 1_000]);
});

Deno.test("a crash between two heartbeats is noticed by the rooms that are gone", async () => {
  const world = await createCall();
  world.sfu.crash();
  await world.pass(2_000);
  assertEquals(world.ensured, ["call"]);
  assertEquals(await look(world, "call", "alice"), UNKNOWN);
  const log = await world.logText();
  assertMatch(log, /warning.*lost its rooms/i);
  assertMatch(log, /info.*is back/i);
  await world.pass(30_000);
  assertEquals(await look(world, "call", "alice"), ABSENT);
});

Deno.test("a crash is noticed before absence counts, however soon after it is asked", async () => {
  const world = await createCall();
  world.sfu.crash();
  assertEquals(await look(world, "call", "alice"), UNKNOWN);
  assertEquals(world.ensured, ["call"]);
});

Deno.test("a room that somebody else has created again after a crash is another one", async () => {
  const world = await createCall();
  world.sfu.crash();
  world.sfu.join("call", "carol");
  assertEquals(await look(world, "call", "alice"), UNKNOWN);
});

Deno.test("a room that ends is no crash while another one lives, or when the SFU has said so", async () => {
  for (const isTold of [false, true]) {
    const world = await createCall();
    if (!isTold) {
      world.sfu.join("other", "bob");
      world.add("other", "bob");
      await world.pass(2_000);
    }
    world.sfu.rooms.delete("call");
    if (isTold) {
      world.watch.onWebhook({
        event: "room_finished",
        room: "call",
        disconnectReason: "UNKNOWN_REASON",
      });
    }
    assertEquals(await look(world, "call", "alice"), ABSENT);
    assertEquals(world.ensured, []);
  }
});

Deno.test("the end of an empty room is no crash", async () => {
  const world = await createCall();
  world.sfu.leave("call", "alice");
  await world.pass(20_000);
  world.sfu.rooms.delete("call");
  assertEquals(await look(world, "call", "alice"), ABSENT);
});

Deno.test("what happened to a room while nobody looked is no crash", async () => {
  const world = await createCall();
  world.jobs.remove(world.job);
  await world.pass(60_000);
  world.sfu.crash();
  world.sfu.join("call", "alice");
  world.jobs.add(world.job);
  await world.pass(4_000);
  world.sfu.fail = ({ method }) => {
    if (method === "listRooms") throw new SfuError("answer", "HTTP 404", { status: 404 });
  };
  await world.pass(60_000);
  world.sfu.fail = () => {};
  world.sfu.crash();
  world.sfu.join("call", "alice");
  await world.pass(4_000);
  assertEquals([world.ensured, await world.logText()], [[], ""]);
});

Deno.test("all who learn of absence at one time share a heartbeat", async () => {
  const world = await createCall();
  world.sfu.calls.length = 0;
  const looking = Array.from({ length: 100 }, (_, i) => world.look(`call ${i}`, "nobody"));
  await world.pass(200);
  assertEquals(new Set((await Promise.all(looking)).map(({ kind }) => kind)), new Set(["absent"]));
  // Answers that come while a heartbeat is under way need one that begins later.
  assertEquals(world.heartbeats().length <= 2, true);
});

Deno.test("absence does not count when the heartbeat after it fails", async () => {
  const world = await createCall();
  world.sfu.fail = ({ method }) => {
    if (method === "listRooms") throw REFUSED;
  };
  assertEquals(await look(world, "call", "nobody"), UNKNOWN);
});

Deno.test("an SFU that refuses to list rooms is not away", async () => {
  const world = await createCall();
  world.sfu.fail = ({ method }) => {
    if (method === "listRooms") throw new SfuError("answer", "HTTP 404", { status: 404 });
  };
  await world.pass(10_000);
  assertEquals(await look(world, "call", "nobody"), ABSENT);
  assertEquals((await look(world, "call", "alice")).kind, "present");
  assertEquals((await world.logText()).includes("does not answer"), false);
});

Deno.test("a call that fails brings the heartbeat forward", async () => {
  const world = await createCall();
  await world.pass(500);
  world.sfu.calls.length = 0;
  world.sfu.fail = DOWN;
  const looking = world.look("call", "alice");
  await world.pass(10);
  assertEquals(await looking, UNKNOWN);
  assertEquals(world.heartbeats().map(({ at }) => at), [2_510]);
  const other = await createCall();
  await other.pass(500);
  other.sfu.calls.length = 0;
  other.sfu.fail = () => {
    throw new SfuError("answer", "no", { twirpCode: "unauthenticated" });
  };
  const refused = other.look("call", "alice");
  await other.pass(500);
  assertEquals([await refused, other.heartbeats()], [UNKNOWN, []]);
});

Deno.test("one room's failure is no outage", async () => {
  const world = await createCall();
  world.sfu.fail = (call) => {
    if (call.method === "find") throw new SfuError("http", "no answer in 5.0 s");
  };
  assertEquals(await look(world, "call", "alice"), UNKNOWN);
  world.sfu.fail = () => {};
  assertEquals(await look(world, "call", "nobody"), ABSENT);
  assertEquals(await world.logText(), "");
});

Deno.test("an SFU that has never answered gives no grace when it does", async () => {
  const world = await createSfuWorld();
  world.sfu.fail = DOWN;
  world.watch.start();
  world.add("call", "alice");
  await world.pass(5_000);
  assertEquals(await look(world, "call", "alice"), { kind: "unknown", everAnswered: false });
  world.sfu.fail = () => {};
  await world.pass(2_000);
  assertEquals(await look(world, "call", "alice"), ABSENT);
  assertEquals(world.ensured, []);
  assertMatch(await world.logText(), /info.*is back/i);
});

Deno.test("an SFU that is away at the start gives grace to the jobs of an earlier process", async () => {
  const world = await createSfuWorld();
  world.sfu.fail = DOWN;
  world.watch.start();
  world.add("call", "alice", { seenAt: -Infinity });
  await world.pass(5_000);
  world.sfu.fail = () => {};
  await world.pass(2_000);
  assertEquals(world.ensured, ["call"]);
  assertEquals(await look(world, "call", "alice"), UNKNOWN);
  await world.pass(30_000);
  assertEquals(await look(world, "call", "alice"), ABSENT);
});

Deno.test("rooms of an earlier process's jobs that are gone are created again, with grace", async () => {
  const world = await createSfuWorld();
  world.sfu.join("there", "dave");
  world.add("gone", "alice", { seenAt: -Infinity });
  world.add("there", "bob", { seenAt: -Infinity });
  world.add("new", "carol");
  world.watch.start();
  await settle();
  assertEquals(world.ensured, ["gone"]);
  assertEquals(await look(world, "gone", "alice"), UNKNOWN);
  // Who left while nobody watched leaves now.
  assertEquals(await look(world, "there", "bob"), ABSENT);
  assertEquals(await look(world, "new", "carol"), ABSENT);
  await world.pass(5_000);
  assertEquals(await look(world, "gone", "alice"), ABSENT);
});

Deno.test("absence does not count before the first heartbeat has seen to earlier jobs", async () => {
  const world = await createSfuWorld();
  const answer = Promise.withResolvers<void>();
  world.sfu.hold = ({ method }) => method === "listRooms" ? answer.promise : undefined;
  world.watch.start();
  world.add("gone", "alice", { seenAt: -Infinity });
  let sighting: unknown;
  void world.look("gone", "alice").then((value) => sighting = value);
  await world.pass(200);
  assertEquals(sighting, undefined);
  answer.resolve();
  await world.pass(200);
  assertEquals(sighting, UNKNOWN);
});

Deno.test("many rooms of earlier jobs are asked for in several calls", async () => {
  const world = await createSfuWorld();
  for (let i = 0; i < 450; i++) world.add(`call ${i}`, "alice", { seenAt: -Infinity });
  world.watch.start();
  await settle();
  const sizes = world.heartbeats().map((call) =>
    call.method === "listRooms" ? call.names.length : 0
  );
  assertEquals(sizes, [20, 200, 200, 50]);
  await settle();
  await settle();
  assertEquals(world.ensured.length, 450);
});

Deno.test("no more than 16 rooms are created at once, and failures are told once", async () => {
  const world = await createCall();
  for (let i = 0; i < 39; i++) world.add(`call ${i}`, "bob");
  const answers: (() => void)[] = [];
  world.settings.ensureRoom = () => new Promise((_, reject) => answers.push(() => reject(REFUSED)));
  world.sfu.crash();
  await world.pass(2_000);
  assertEquals(answers.length, 16);
  while (answers.length > 0) {
    answers.shift()!();
    await settle();
  }
  assertEquals(world.ensured.length, 40);
  const log = await world.logText();
  assertMatch(log, /warning.*not all rooms.*failed=40 rooms=40.*connection refused/i);
  assertEquals(log.match(/not all rooms/g)?.length, 1);
});

Deno.test("an outage that outlasts the jobs ends with the first answer to later ones", async () => {
  const world = await createCall();
  world.sfu.fail = DOWN;
  await world.pass(3_000);
  world.jobs.remove(world.job);
  await world.pass(10_000);
  assertEquals(world.clock.pending, []);
  world.sfu.fail = () => {};
  // Nobody watches, so nobody can say that the SFU is away still.
  assertEquals(await look(world, "call", "alice").then(({ kind }) => kind), "present");
  world.jobs.add(world.job);
  await settle();
  assertMatch(await world.logText(), /info.*is back/i);
  assertEquals(world.ensured, ["call"]);
});

Deno.test("the heartbeat asks for 20 rooms, those with participants again and again", async () => {
  const world = await createSfuWorld();
  for (let i = 0; i < 50; i++) world.add(`empty ${i}`, "alice", { seenAt: -Infinity });
  for (let i = 0; i < 30; i++) {
    world.sfu.join(`call ${i}`, "alice");
    world.add(`call ${i}`, "alice");
  }
  world.watch.start();
  await world.pass(20_000);
  const names = world.heartbeats().map((call) => call.method === "listRooms" ? call.names : []);
  for (const asked of names) assertEquals(asked.length <= 20 || asked.length === 50, true);
  const last = names.at(-1)!;
  assertEquals(last.every((name) => name.startsWith("call ")), true);
  assertEquals(names.at(-2), last);
  assertEquals(new Set(last).size, 20);
  assertEquals(world.jobs.inRoom(room(last[0]!)) !== undefined, true);
});
