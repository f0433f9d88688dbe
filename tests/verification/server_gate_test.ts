import { assertEquals, assertRejects } from "@std/assert";
import { UnavailableError } from "../../lib/matrix/errors.ts";
import { ServerGates } from "../../lib/verification/server_gate.ts";
import { hopOf } from "../net/fixtures.ts";
import { createManualClock } from "../support/manual_clock.ts";

const LIMITS = { maxInFlight: 2, maxInWork: 5 };

/** Actions that end when told. */
function createWork() {
  const clock = createManualClock();
  const gates = new ServerGates(clock);
  const started: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<void>>();
  return {
    clock,
    gates,
    started,
    run(serverName: string, name: string, timeoutMs = 1_000) {
      const end = Promise.withResolvers<void>();
      ends.set(name, end);
      return gates.run(serverName, LIMITS, timeoutMs, () => {
        started.push(name);
        return end.promise.then(() => name);
      });
    },
    end: (name: string) => ends.get(name)!.resolve(),
    fail: (name: string) => ends.get(name)!.reject(new RangeError(name)),
  };
}

Deno.test("ServerGates.run() lets so many through, the others in turn", async () => {
  const { run, end, started, clock } = createWork();
  const runs = ["a", "b", "c", "d"].map((name) => run("s", name));
  assertEquals(started, ["a", "b"]);
  end("b");
  assertEquals(await runs[1], "b");
  assertEquals(started, ["a", "b", "c"]);
  ["a", "c", "d"].forEach(end);
  assertEquals(await Promise.all(runs), ["a", "b", "c", "d"]);
  assertEquals(clock.pending, []);
});

Deno.test("ServerGates.run() gives the place on after a failure, too", async () => {
  const { run, end, fail, started } = createWork();
  const runs = ["a", "b", "c"].map((name) => run("s", name));
  fail("a");
  await assertRejects(() => runs[0]!, RangeError, "a");
  assertEquals(started, ["a", "b", "c"]);
  ["b", "c"].forEach(end);
  await Promise.all(runs.slice(1));
});

Deno.test("ServerGates.run() keeps servers apart", async () => {
  const { run, end, started } = createWork();
  const hanging = ["a", "b", "c", "d", "e"].map((name) => run("hangs", name));
  const other = run("answers", "f");
  end("f");
  assertEquals(await other, "f");
  assertEquals(started, ["a", "b", "f"]);
  ["a", "b", "c", "d", "e"].forEach(end);
  await Promise.all(hanging);
});

Deno.test("ServerGates.run() ends the waiting at its deadline and keeps the turn for others", async () => {
  const { run, end, started, clock } = createWork();
  const first = ["a", "b"].map((name) => run("s", name));
  const late = hopOf(run("s", "late", 100));
  const patient = run("s", "patient", 200);
  clock.advance(100);
  assertEquals(await late, ["load", "too many requests to s are under way"]);
  end("a");
  await first[0];
  assertEquals(started, ["a", "b", "patient"]);
  clock.advance(1_000); // a turn that has come has no deadline any more
  ["b", "patient"].forEach(end);
  assertEquals(await patient, "patient");
  await first[1];
});

Deno.test("ServerGates.run() refuses at once what is beyond half of all work", async () => {
  const { run, end, started } = createWork();
  const runs = ["a", "b", "c", "d", "e"].map((name) => run("s", name));
  const error = await assertRejects(() => run("s", "f"), UnavailableError);
  assertEquals(error.retryAfterSeconds, 2);
  end("a");
  await runs[0];
  runs.push(run("s", "g"));
  ["b", "c", "d", "e", "g"].forEach(end);
  await Promise.all(runs);
  assertEquals(started, ["a", "b", "c", "d", "e", "g"]);
});

Deno.test("ServerGates.run() starts from nothing once all have left", async () => {
  const { run, end, started } = createWork();
  for (let round = 0; round < 3; round++) {
    const runs = ["a", "b", "c", "d", "e"].map((name) => run("s", `${name}${round}`));
    ["a", "b", "c", "d", "e"].forEach((name) => end(`${name}${round}`));
    await Promise.all(runs);
  }
  assertEquals(started.length, 15);
});
