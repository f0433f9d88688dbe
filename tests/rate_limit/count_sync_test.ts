import { assertEquals, assertMatch } from "@std/assert";
import { StoreError } from "../../lib/delayed_leave/store.ts";
import { CountSync } from "../../lib/rate_limit/count_sync.ts";
import type { CountedPart } from "../../lib/rate_limit/shared_counts.ts";
import { WindowCounter } from "../../lib/rate_limit/window_counter.ts";
import { captureLog } from "../support/captured_log.ts";
import { createManualClock } from "../support/manual_clock.ts";

const LIMIT = 10;
const PAUSE_MS = 25;

/** A replica whose exchanges the test answers one by one. */
async function createWorld() {
  const clock = createManualClock();
  const { log, logText } = await captureLog({ level: "info", format: "text", clock });
  const asked: CountedPart[][] = [];
  let answer: Promise<readonly { total: number; msLeft: number }[]> = Promise.resolve([]);
  let isClosed = false;
  const sync = new CountSync({
    clock,
    log,
    isFinal: (error) => (error as Error).message === "never",
    counts: {
      add(parts) {
        asked.push([...parts]);
        return answer;
      },
      close: () => isClosed = true,
    },
  });
  const counter = new WindowCounter({
    limit: LIMIT,
    windowMs: 60_000,
    maxKeys: 20_000,
    clock,
    onTaken: (key) => sync.note("client", key),
  });
  sync.add("client", counter);
  return {
    clock,
    counter,
    sync,
    logText,
    /** What was asked since the last look: key and count. */
    asked: () => asked.splice(0).map((parts) => parts.map(({ key, count }) => [key, count])),
    answerWith: (totals: readonly number[]) =>
      answer = Promise.resolve(totals.map((total) => ({ total, msLeft: 30_000 }))),
    answerWithNothing: () => {
      const { promise, resolve } = Promise.withResolvers<typeof answer>();
      answer = promise as unknown as typeof answer;
      return resolve;
    },
    failWith: (message: string) => {
      answer = Promise.reject(new StoreError("tcp", message));
      answer.catch(() => {});
    },
    isClosed: () => isClosed,
  };
}

/** Long enough for promises that are settled already. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("what is counted is told at once, and what others have counted is learnt", async () => {
  const { counter, asked, answerWith } = await createWorld();
  answerWith([9]);
  assertEquals(counter.take("a", 1), 0);
  assertEquals(asked(), [[["a", 1]]]);
  await settle();
  assertEquals([counter.take("a", 2), counter.take("a", 1)], [30_000, 0]);
});

Deno.test("what comes during an exchange goes with the next one, together", async () => {
  const { clock, counter, asked, answerWith } = await createWorld();
  answerWith([1]);
  counter.take("a", 1);
  counter.take("a", 2);
  counter.take("b", 3);
  await settle();
  counter.take("a", 1);
  assertEquals(asked(), [[["a", 1]]]);
  clock.advance(PAUSE_MS);
  assertEquals(asked(), [[["a", 3], ["b", 3]]]);
  await settle();
  clock.advance(PAUSE_MS);
  assertEquals([asked(), clock.pending], [[], []]);
});

Deno.test("no request waits for an exchange that does not end, and it holds nothing up", async () => {
  const { counter, asked, answerWithNothing, clock } = await createWorld();
  answerWithNothing();
  for (let n = 0; n < LIMIT; n++) assertEquals(counter.take("a", 1), 0);
  assertEquals(counter.take("a", 1), 60_000);
  clock.advance(1_000);
  await settle();
  assertEquals(asked().length, 1);
});

Deno.test("a flood of keys is told in exchanges of 500, and not more than 10 000 wait", async () => {
  const { clock, counter, asked, answerWith } = await createWorld();
  answerWith([]);
  for (let n = 0; n < 20_000; n++) counter.take(`key ${n}`, 1);
  const sizes: number[] = [];
  for (let n = 0; n < 30; n++) {
    sizes.push(...asked().map((parts) => parts.length));
    await settle();
    clock.advance(PAUSE_MS);
  }
  assertEquals([sizes[0], Math.max(...sizes)], [1, 500]);
  assertEquals(sizes.reduce((a, b) => a + b), 10_001);
});

Deno.test("an outage is one line, is tried again ever more rarely, and ends with one line", async () => {
  const { clock, counter, asked, answerWith, failWith, logText } = await createWorld();
  failWith("Redis is away");
  let tries = 0;
  for (let second = 0; second < 100; second++) {
    counter.take(`key ${second}`, 1);
    await settle();
    tries += asked().length;
    clock.advance(1_000);
  }
  // After 1, 2, 4, 8, 16, 30, 30 seconds.
  assertEquals(tries, 8);
  assertEquals((await logText()).match(/WARNING/g)?.length, 1);
  assertMatch(await logText(), /each replica counts for itself: Redis is away/);
  answerWith([1]);
  clock.advance(30_000);
  counter.take("key", 1);
  await settle();
  counter.take("key", 1);
  clock.advance(PAUSE_MS);
  await settle();
  assertEquals(asked().length, 2);
  assertEquals((await logText()).match(/shared through Redis again/g)?.length, 1);
});

Deno.test("what cannot ever work is not tried again", async () => {
  const { clock, counter, asked, failWith, isClosed, logText } = await createWorld();
  failWith("never");
  for (let n = 0; n < 5; n++) {
    counter.take("a", 1);
    await settle();
    clock.advance(60_000);
  }
  assertEquals([asked().length, isClosed(), clock.pending], [1, true, []]);
  assertEquals((await logText()).trim().split("\n").length, 1);
});

Deno.test("stop() ends it, also in the middle of an exchange", async () => {
  const { clock, counter, sync, asked, failWith, isClosed, logText } = await createWorld();
  failWith("closed");
  counter.take("a", 1);
  sync.stop();
  counter.take("a", 1);
  await settle();
  assertEquals([asked().length, isClosed(), clock.pending, await logText()], [1, true, [], ""]);
});
