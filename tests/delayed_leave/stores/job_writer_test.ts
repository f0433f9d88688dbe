import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { type Job, type JobKey, jobKey, type StoredJob } from "../../../lib/delayed_leave/job.ts";
import { createJobWriter } from "../../../lib/delayed_leave/stores/job_writer.ts";
import {
  type ChangeResult,
  type JobChange,
  type JobStore,
  StoreError,
} from "../../../lib/delayed_leave/store.ts";
import type { LiveKitIdentity } from "../../../lib/signing/names.ts";
import { captureLog } from "../../support/captured_log.ts";
import { createManualClock } from "../../support/manual_clock.ts";
import { createJob } from "../support/store_suite.ts";

/** A go of the writer that ends when the test says so. */
interface Go {
  readonly changes: readonly JobChange[];
  answer(results?: ChangeResult[]): void;
  fail(error?: Error): void;
}

async function createWorld() {
  const clock = createManualClock();
  const { log, logText } = await captureLog({
    level: "info",
    format: "text",
    // Not the writer's: the log sets timers of its own.
    clock: createManualClock(),
  });
  const goes: Go[] = [];
  let tell = () => {};
  const store: Pick<JobStore, "write"> = {
    write(changes) {
      const { promise, resolve, reject } = Promise.withResolvers<readonly ChangeResult[]>();
      goes.push({
        changes,
        answer: (results) => resolve(results ?? changes.map(() => "kept")),
        fail: (error = new StoreError("tcp", "the store is away")) => reject(error),
      });
      tell();
      return promise;
    },
  };
  const lost: JobKey[] = [];
  const writer = createJobWriter({
    store,
    clock,
    random: () => 1,
    log,
    onLost: (keys) => lost.push(...keys),
  });
  return {
    clock,
    writer,
    goes,
    lost,
    logText,
    /** The go of this number, counted from 1, as soon as there is one. */
    async go(number: number): Promise<Go> {
      while (goes.length < number) await new Promise<void>((resolve) => tell = resolve);
      assertEquals(goes.length, number);
      return goes[number - 1]!;
    },
  };
}

const ALICE = stored("alice");
const BOB = stored("bob");

function stored(identity: string, fields: Partial<StoredJob> = {}): StoredJob {
  const job = createJob({ identity: identity as LiveKitIdentity });
  return { job, restartedAt: 0, wasConnected: false, ...fields };
}

/** A job as it is after some more restarts. */
function later({ job }: StoredJob, restartedAt: number): StoredJob {
  return { job, restartedAt, wasConnected: true };
}

function key({ job }: StoredJob): JobKey {
  return jobKey(job.room, job.identity);
}

/** What a go says, shortly. */
function brief({ changes }: Go): string[] {
  return changes.map((change) =>
    change.kind === "remove"
      ? `remove ${change.job.identity}`
      : `${change.kind} ${change.stored.job.identity} ${change.stored.restartedAt}`
  );
}

Deno.test("put() writes at once and resolves when the job is kept", async () => {
  const { writer, goes, clock } = await createWorld();
  let isKept = false;
  const put = writer.put(ALICE, 1_000).then(() => isKept = true);
  assertEquals(goes.map(brief), [["put alice 0"]]);
  clock.advance(999);
  assertEquals(isKept, false);
  goes[0]!.answer();
  await put;
  // Nobody counts the time of a put that is over.
  assertEquals(clock.pending, []);
});

Deno.test("puts that come while another is being written go out together after it", async () => {
  const { writer, go } = await createWorld();
  const puts = ["a", "b", "c"].map((identity) => writer.put(stored(identity), 1_000));
  const first = await go(1);
  assertEquals(brief(first), ["put a 0"]);
  first.answer();
  const second = await go(2);
  assertEquals(brief(second), ["put b 0", "put c 0"]);
  second.answer();
  await Promise.all(puts);
});

Deno.test("news are collected for 20 ms, and only the newest of each job is written", async () => {
  const { writer, goes, clock, go } = await createWorld();
  writer.update(later(ALICE, 1));
  clock.advance(10);
  writer.update(later(BOB, 1));
  writer.update(later(ALICE, 2));
  writer.remove(BOB.job);
  writer.update(later(BOB, 3));
  clock.advance(9);
  assertEquals(goes, []);
  clock.advance(1);
  const first = await go(1);
  assertEquals(brief(first), ["update alice 2", "remove bob"]);
  writer.update(later(ALICE, 3));
  clock.advance(1_000);
  assertEquals(goes.length, 1);
  first.answer();
  await clock.waitForTimer(20);
  clock.advance(20);
  assertEquals(brief(await go(2)), ["update alice 3"]);
});

Deno.test("a put takes along the news that are waiting", async () => {
  const { writer, go } = await createWorld();
  writer.update(later(BOB, 1));
  const put = writer.put(ALICE, 1_000);
  const first = await go(1);
  assertEquals(brief(first), ["update bob 1", "put alice 0"]);
  first.answer();
  await put;
});

Deno.test("many news go out 500 at a time, one go after the other", async () => {
  const { writer, clock, go, goes } = await createWorld();
  for (let n = 0; n < 1_200; n++) writer.update(stored(`user ${n}`));
  clock.advance(20);
  const sizes = [];
  for (const [number, pauseMs] of [[1, 0], [2, 20], [3, undefined]] as const) {
    const { changes, answer } = await go(number);
    sizes.push(changes.length);
    answer();
    if (pauseMs === undefined) continue;
    await clock.waitForTimer(pauseMs);
    assertEquals(goes.length, number);
    clock.advance(pauseMs);
  }
  assertEquals(sizes, [500, 500, 200]);
});

Deno.test("news of a job that is just being put are written after it", async () => {
  const { writer, go, clock } = await createWorld();
  const put = writer.put(ALICE, 1_000);
  writer.update(later(ALICE, 1));
  const first = await go(1);
  assertEquals(brief(first), ["put alice 0"]);
  first.answer();
  await put;
  await clock.waitForTimer(20);
  clock.advance(20);
  assertEquals(brief(await go(2)), ["update alice 1"]);
});

Deno.test("a failing store is tried again after 100 ms to 5 s, with the newest state", async () => {
  const { writer, clock, go, logText } = await createWorld();
  writer.update(later(ALICE, 0));
  writer.update(later(BOB, 0));
  clock.advance(20);
  const pauses = [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000];
  for (const [n, ms] of pauses.entries()) {
    const { fail } = await go(n + 1);
    writer.update(later(BOB, n + 1));
    fail();
    await clock.waitForTimer(ms);
    // While it fails, news do not bring the next attempt forward.
    writer.update(later(ALICE, n + 1));
    assertEquals(clock.pending, [ms]);
    clock.advance(ms);
  }
  const last = await go(9);
  assertEquals(brief(last), ["update alice 8", "update bob 8"]);
  last.answer();
  writer.update(later(ALICE, 9));
  await clock.waitForTimer(20);
  const lines = (await logText()).trimEnd().split("\n").map((line) => line.slice(25));
  assertEquals(lines, [
    "WARNING jobs cannot be kept, those there are go on until the service stops: the store is away hop=tcp",
    "INFO    jobs can be kept again, after 16300 ms",
  ]);
});

Deno.test("pauses between attempts are spread over half their length", async () => {
  const clock = createManualClock();
  const { log } = await captureLog({ level: "info", format: "text", clock: createManualClock() });
  const store = { write: () => Promise.reject(new StoreError("tcp", "away")) };
  const writer = createJobWriter({ store, clock, random: () => 0, log, onLost: () => {} });
  writer.update(ALICE);
  clock.advance(20);
  await clock.waitForTimer(50);
});

Deno.test("a store that fails with any other error is tried again, too", async () => {
  const { writer, clock, go } = await createWorld();
  writer.update(ALICE);
  clock.advance(20);
  (await go(1)).fail(new TypeError("a bug"));
  await clock.waitForTimer(100);
  clock.advance(100);
  assertEquals(brief(await go(2)), ["update alice 0"]);
});

Deno.test("news of a job whose put fails go out with the next attempt, as a put", async () => {
  const { writer, clock, go } = await createWorld();
  const put = writer.put(ALICE, 1_000);
  writer.update(later(ALICE, 1));
  (await go(1)).fail();
  await clock.waitForTimer(100);
  clock.advance(100);
  const second = await go(2);
  assertEquals(brief(second), ["put alice 1"]);
  second.fail();
  await clock.waitForTimer(200);
  writer.update(later(ALICE, 2));
  clock.advance(200);
  const third = await go(3);
  assertEquals(brief(third), ["put alice 2"]);
  third.answer();
  await put;
});

Deno.test("late news of a job that is being removed do not bring it back", async () => {
  const { writer, clock, go } = await createWorld();
  writer.remove(ALICE.job);
  clock.advance(20);
  const first = await go(1);
  writer.update(later(ALICE, 1));
  first.fail();
  await clock.waitForTimer(100);
  clock.advance(100);
  assertEquals(brief(await go(2)), ["remove alice"]);
});

Deno.test("what came before the failure stays in front of what comes after it", async () => {
  const { writer, clock, go } = await createWorld();
  writer.update(ALICE);
  clock.advance(20);
  const first = await go(1);
  const newer = stored("alice", { restartedAt: 5 });
  const put = writer.put(newer, 1_000);
  first.fail();
  await clock.waitForTimer(100);
  clock.advance(100);
  const second = await go(2);
  assertEquals(brief(second), ["update alice 0", "put alice 5"]);
  second.answer();
  await put;
});

Deno.test("a put is tried again within its time", async () => {
  const { writer, clock, go } = await createWorld();
  const put = writer.put(ALICE, 10_000);
  for (const [n, ms] of [100, 200, 400, 500, 500].entries()) {
    (await go(n + 1)).fail();
    await clock.waitForTimer(ms);
    clock.advance(ms);
  }
  (await go(6)).answer();
  await put;
});

Deno.test("a put does not wait for the end of a long pause, nor does each mean an attempt", async () => {
  const { writer, clock, go, goes } = await createWorld();
  writer.update(BOB);
  clock.advance(20);
  for (const [n, ms] of [100, 200, 400, 800, 1_600].entries()) {
    (await go(n + 1)).fail();
    await clock.waitForTimer(ms);
    if (ms < 1_600) clock.advance(ms);
  }
  const puts = [ALICE, stored("carol")].map((one) => writer.put(one, 1_000));
  assertEquals(goes.length, 5);
  clock.advance(100);
  const last = await go(6);
  assertEquals(brief(last), ["update bob 0", "put alice 0", "put carol 0"]);
  last.answer();
  await Promise.all(puts);
});

Deno.test("a put that fails for too long rejects, and is removed should it be there", async () => {
  const { writer, clock, go } = await createWorld();
  const put = writer.put(ALICE, 150);
  const rejected = assertRejects(() => put, StoreError, "a job was not kept within 150 ms");
  (await go(1)).fail();
  await clock.waitForTimer(100);
  clock.advance(100);
  (await go(2)).fail();
  await clock.waitForTimer(200);
  clock.advance(50);
  const error = await rejected;
  assertEquals([error.hop, (error.cause as Error).message], ["tcp", "the store is away"]);
  clock.advance(150);
  const third = await go(3);
  assertEquals(brief(third), ["remove alice"]);
  third.answer();
});

for (const outcome of ["answer", "fail"] as const) {
  Deno.test(`a put that hangs for too long is removed, also when it ends in: ${outcome}`, async () => {
    const { writer, clock, go } = await createWorld();
    const put = writer.put(ALICE, 1_000);
    const rejected = assertRejects(() => put, StoreError, "a job was not kept within 1000 ms");
    writer.update(later(ALICE, 1));
    clock.advance(1_000);
    await rejected;
    const pauseMs = outcome === "fail" ? 100 : 20;
    (await go(1))[outcome]();
    await clock.waitForTimer(pauseMs);
    clock.advance(pauseMs);
    assertEquals(brief(await go(2)), ["remove alice"]);
  });
}

Deno.test("a put that never came to be tried leaves nothing to remove", async () => {
  const { writer, clock, go, goes } = await createWorld();
  writer.update(BOB);
  const first = await go(1);
  const put = writer.put(ALICE, 1_000);
  const rejected = assertRejects(() => put, StoreError);
  clock.advance(1_000);
  await rejected;
  first.answer();
  await writer.flush(1_000);
  assertEquals(goes.length, 1);
});

Deno.test("news that come alone are written at once, those that follow together", async () => {
  const { writer, clock, go, goes } = await createWorld();
  writer.update(ALICE);
  const first = await go(1);
  assertEquals([brief(first), clock.pending], [["update alice 0"], []]);
  first.answer();
  await writer.flush(1_000);
  clock.advance(19);
  writer.update(BOB);
  writer.update(stored("carol"));
  assertEquals([goes.length, clock.pending], [1, [20]]);
  clock.advance(20);
  assertEquals(brief(await go(2)), ["update bob 0", "update carol 0"]);
});

Deno.test("news are written although the only put has given up during an outage", async () => {
  const { writer, clock, go } = await createWorld();
  writer.update(BOB);
  clock.advance(20);
  (await go(1)).fail();
  await clock.waitForTimer(100);
  writer.remove(BOB.job);
  clock.advance(100);
  const second = await go(2);
  const put = writer.put(ALICE, 10);
  const rejected = assertRejects(() => put, StoreError);
  clock.advance(10);
  second.fail();
  await rejected;
  await clock.waitForTimer(200);
  writer.update(later(stored("carol"), 3));
  clock.advance(200);
  assertEquals(brief(await go(3)), ["remove bob", "update carol 3"]);
});

Deno.test("a job that ends before it is kept still takes the place of the older one", async () => {
  const { writer, clock, go } = await createWorld();
  writer.update(BOB);
  const first = await go(1);
  const put = writer.put(ALICE, 1_000);
  writer.remove(ALICE.job);
  first.answer();
  const second = await go(2);
  assertEquals(brief(second), ["put alice 0"]);
  second.fail();
  await clock.waitForTimer(100);
  clock.advance(100);
  const third = await go(3);
  assertEquals(brief(third), ["put alice 0"]);
  third.answer();
  await put;
  await clock.waitForTimer(20);
  clock.advance(20);
  assertEquals(brief(await go(4)), ["remove alice"]);
});

Deno.test("a job that ends while its put fails is put again before it is removed", async () => {
  const { writer, clock, go } = await createWorld();
  const put = writer.put(ALICE, 1_000);
  writer.remove(ALICE.job);
  (await go(1)).fail();
  await clock.waitForTimer(100);
  clock.advance(100);
  const second = await go(2);
  assertEquals(brief(second), ["put alice 0"]);
  second.answer();
  await put;
  await clock.waitForTimer(20);
  clock.advance(20);
  assertEquals(brief(await go(3)), ["remove alice"]);
});

Deno.test("onLost() is told of jobs that are another replica's", async () => {
  const { writer, clock, go, lost } = await createWorld();
  const carol = stored("carol");
  writer.update(ALICE);
  writer.update(BOB);
  writer.remove(carol.job);
  clock.advance(20);
  (await go(1)).answer(["lost", "kept", "lost"]);
  await writer.flush(1_000);
  assertEquals(lost, [key(ALICE)]);
});

Deno.test("onLost() hears nothing of a job whose successor is here", async () => {
  const { writer, clock, go, lost } = await createWorld();
  // News from before the put,
  writer.update(ALICE);
  clock.advance(20);
  const first = await go(1);
  const newer = stored("alice", { restartedAt: 5 });
  const put = writer.put(newer, 1_000);
  first.answer(["lost"]);
  // during it,
  const second = await go(2);
  writer.update(later(ALICE, 1));
  second.answer(["kept"]);
  await put;
  // and in the moment after it.
  writer.update(later(ALICE, 2));
  await clock.waitForTimer(20);
  clock.advance(20);
  const third = await go(3);
  assertEquals(brief(third), ["update alice 2"]);
  third.answer(["lost"]);
  await writer.flush(1_000);
  assertEquals(lost, []);
  // The successor itself can be lost later on.
  writer.update(newer);
  clock.advance(20);
  (await go(4)).answer(["lost"]);
  await writer.flush(1_000);
  assertEquals(lost, [key(ALICE)]);
});

Deno.test("onLost() hears nothing of news that were behind many others when the successor was kept", async () => {
  const { writer, clock, go, lost } = await createWorld();
  const put = writer.put(stored("alice", { restartedAt: 5 }), 1_000);
  for (let n = 0; n < 500; n++) writer.update(stored(`user ${n}`));
  writer.update(later(ALICE, 1));
  (await go(1)).answer();
  await put;
  await clock.waitForTimer(0);
  clock.advance(0);
  (await go(2)).answer();
  await clock.waitForTimer(20);
  clock.advance(20);
  const third = await go(3);
  assertEquals(brief(third), ["update alice 1"]);
  third.answer(["lost"]);
  await writer.flush(1_000);
  assertEquals(lost, []);
});

Deno.test("onLost() is told of a job that has come back from another replica and went again", async () => {
  const { writer, clock, go, lost } = await createWorld();
  const put = writer.put(stored("alice"), 1_000);
  (await go(1)).answer();
  await put;
  writer.update(BOB);
  await clock.waitForTimer(20);
  clock.advance(20);
  (await go(2)).answer();
  await writer.flush(1_000);
  writer.update(ALICE);
  clock.advance(20);
  (await go(3)).answer(["lost"]);
  await writer.flush(1_000);
  assertEquals(lost, [key(ALICE)]);
});

Deno.test("onLost() is told of a job whose successor was given up", async () => {
  const { writer, clock, go, lost } = await createWorld();
  const put = writer.put(stored("alice"), 1_000);
  const rejected = assertRejects(() => put, StoreError);
  const first = await go(1);
  clock.advance(1_000);
  await rejected;
  writer.update(ALICE);
  first.answer();
  await clock.waitForTimer(20);
  clock.advance(20);
  (await go(2)).answer(["kept", "lost"]);
  await writer.flush(1_000);
  assertEquals(lost, [key(ALICE)]);
});

Deno.test("flush() writes at once, and resolves when nothing is left", async () => {
  const { writer, go, clock } = await createWorld();
  await writer.flush(1_000);
  writer.update(ALICE);
  let isDone = false;
  const flushed = writer.flush(1_000).then(() => isDone = true);
  const first = await go(1);
  writer.update(BOB);
  first.answer();
  const second = await go(2);
  assertEquals([brief(second), isDone], [["update bob 0"], false]);
  second.answer();
  await flushed;
  assertEquals(clock.pending, []);
});

Deno.test("flush() gives up after its time and says so", async () => {
  const { writer, go, clock, logText } = await createWorld();
  writer.update(ALICE);
  const flushed = writer.flush(1_000);
  (await go(1)).fail();
  await clock.waitForTimer(100);
  clock.advance(100);
  await go(2);
  clock.advance(900);
  await flushed;
  assertEquals((await logText()).includes("news of jobs could not be kept within 1000 ms"), true);
});

Deno.test("whatever happens, the store ends up with the newest jobs", async () => {
  const clock = createManualClock();
  const { log } = await captureLog({ level: "error", format: "text", clock });
  const step = fc.record({
    act: fc.constantFrom("put", "update", "remove", "wait"),
    who: fc.integer({ min: 0, max: 2 }),
    // Before the put has resolved, too.
    early: fc.boolean(),
    ms: fc.constantFrom(0, 20, 100, 600),
    // The store works, fails, or does as it is told and fails to say so.
    store: fc.constantFrom("works", "works", "fails", "fails late"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      let mood = "works";
      const kept = new Map<JobKey, StoredJob>();
      const store = {
        write(changes: readonly JobChange[]) {
          if (mood !== "fails") { for (const change of changes) applyTo(kept, change); }
          return mood === "works"
            ? Promise.resolve(changes.map(() => "kept" as const))
            : Promise.reject(new StoreError("tcp", "away"));
        },
      };
      const writer = createJobWriter({ store, clock, random: () => 0.5, log, onLost: () => {} });
      /** What the service runs: a job counts once its put has resolved. */
      const running = new Map<JobKey, Job>();
      const newest = new Map<JobKey, Job>();
      const states = new Map<Job, StoredJob>();
      const ended = new Set<Job>();
      const givenUp: Job[] = [];
      const puts: Promise<void>[] = [];
      let time = 0;
      for (const { act, who, early, ms, store } of steps) {
        mood = store;
        const one = stored(`user ${who}`, { restartedAt: ++time });
        const job = (early ? newest : running).get(key(one));
        if (act === "put") {
          newest.set(key(one), one.job);
          states.set(one.job, one);
          const put = writer.put(one, 500).then(
            () => {
              // It has replaced the older one even if it has ended meanwhile.
              if (ended.has(one.job)) running.delete(key(one));
              else running.set(key(one), one.job);
            },
            () => void givenUp.push(one.job),
          );
          puts.push(put);
        } else if (act === "wait") {
          clock.advance(ms);
        } else if (job !== undefined && !ended.has(job) && !givenUp.includes(job)) {
          if (act === "update") {
            states.set(job, later({ ...one, job }, time));
            writer.update(states.get(job)!);
          } else {
            ended.add(job);
            if (running.get(key(one)) === job) running.delete(key(one));
            writer.remove(job);
          }
        }
        // Lets what is due go on, as far as it can without time passing.
        for (let i = 0; i < 8; i++) await null;
      }
      mood = "works";
      await writer.flush(10_000);
      await Promise.all(puts);
      for (const [place, job] of running) {
        const there = kept.get(place);
        // A put that was given up may have taken the older job's place before it was removed.
        if (there === undefined && givenUp.some((other) => isRival(job, other))) continue;
        assertEquals([there?.job === job, there?.restartedAt], [
          true,
          states.get(job)!.restartedAt,
        ]);
      }
      for (const place of kept.keys()) assertEquals(running.has(place), true);
    }),
    { numRuns: 1_000 },
  );
});

function isRival(job: Job, other: Job): boolean {
  return other !== job && other.room === job.room && other.identity === job.identity;
}

/** Does what a store does with a change. */
function applyTo(kept: Map<JobKey, StoredJob>, change: JobChange): void {
  const job = change.kind === "remove" ? change.job : change.stored.job;
  const place = jobKey(job.room, job.identity);
  if (change.kind === "put") kept.set(place, change.stored);
  else if (kept.get(place)?.job !== job) return;
  else if (change.kind === "update") kept.set(place, change.stored);
  else kept.delete(place);
}
