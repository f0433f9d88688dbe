import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Delivery } from "../../../lib/observability/tracing/collector.ts";
import type { Span } from "../../../lib/observability/tracing/span.ts";
import { SpanQueue } from "../../../lib/observability/tracing/span_queue.ts";
import { captureLog } from "../../support/captured_log.ts";
import { createManualClock } from "../../support/manual_clock.ts";

const BATCH = 512;
const BATCH_MS = 5_000;
const MAX_WAITING = 2_048;
const TAKEN: Delivery = { kind: "taken", rejected: 0 };

interface Attempt {
  readonly spans: number;
  readonly timeoutMs: number;
  readonly answer: (delivery: Delivery) => Promise<void>;
}

/** A queue whose collector answers when the test says so. */
async function createWorld() {
  const clock = createManualClock();
  const { log, logText } = await captureLog({ level: "info", format: "text", clock });
  const attempts: Attempt[] = [];
  const queue = new SpanQueue({
    clock,
    random: () => 1,
    log,
    place: "http://otel:4318",
    encode: (spans) => String(spans.length),
    deliver: (body, timeoutMs) =>
      new Promise((resolve) => {
        const answer = async (delivery: Delivery) => {
          resolve(delivery);
          await settle();
        };
        attempts.push({ spans: Number(body), timeoutMs, answer });
      }),
  });
  const add = async (count = 1) => {
    for (let i = 0; i < count; i++) queue.add(SPAN);
    await settle();
  };
  const advance = async (ms: number) => {
    clock.advance(ms);
    await settle();
  };
  return { clock, logText, attempts, queue, add, advance };
}

const SPAN: Span = {
  traceId: "5b8efff798038103d269b633813fc60c",
  spanId: "eee19b7ec3c1b174",
  name: "userinfo",
  kind: "client",
  startedAt: 0,
  endedAt: 0,
  hasFailed: false,
  attributes: {},
};

/** Lets everything happen that waits for no event from outside. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

Deno.test("SpanQueue sends what came within five seconds at once", async () => {
  const { attempts, add, advance, clock } = await createWorld();
  await add();
  await advance(BATCH_MS - 1);
  await add(2);
  assertEquals(attempts.length, 0);
  await advance(1);
  assertEquals(attempts.map(({ spans, timeoutMs }) => [spans, timeoutMs]), [[3, 10_000]]);
  await attempts[0]!.answer(TAKEN);
  assertEquals(clock.pending.length, 0);
});

Deno.test("SpanQueue sends a full batch without waiting, and one at a time", async () => {
  const { attempts, add, advance } = await createWorld();
  await add(BATCH + 1);
  assertEquals(attempts.map(({ spans }) => spans), [BATCH]);
  await add(BATCH);
  await advance(BATCH_MS);
  assertEquals(attempts.length, 1);
  await attempts[0]!.answer(TAKEN);
  assertEquals(attempts.map(({ spans }) => spans), [BATCH, BATCH]);
  await attempts[1]!.answer(TAKEN);
  // The one that is left waits its time.
  assertEquals(attempts.length, 2);
  await advance(BATCH_MS);
  assertEquals(attempts[2]!.spans, 1);
});

Deno.test("SpanQueue keeps a bounded number of spans and says how many it lost", async () => {
  const { attempts, add, logText } = await createWorld();
  await add(BATCH);
  await add(MAX_WAITING + 1_000);
  while (attempts.at(-1)!.spans === BATCH) {
    const { length } = attempts;
    await attempts.at(-1)!.answer(TAKEN);
    if (attempts.length === length) break;
  }
  const sent = attempts.reduce((sum, { spans }) => sum + spans, 0);
  assertEquals(sent, BATCH + MAX_WAITING);
  assertStringIncludes(await logText(), "WARNING 1000 spans of traces were lost");
});

Deno.test("SpanQueue tells of losses no more than once a minute", async () => {
  const { attempts, add, advance, logText } = await createWorld();
  const lose = async () => {
    await add(BATCH);
    await attempts.at(-1)!.answer({ kind: "taken", rejected: 2 });
  };
  await lose();
  await lose();
  await lose();
  assertEquals((await logText()).match(/spans of traces were lost/g)?.length, 1);
  await advance(60_000);
  await lose();
  assertStringIncludes(await logText(), "WARNING 6 spans of traces were lost");
});

Deno.test("SpanQueue sends again after one, two, four and eight seconds, then gives up", async () => {
  const { attempts, add, advance, logText } = await createWorld();
  await add(BATCH);
  for (const ms of [1_000, 2_000, 4_000, 8_000]) {
    const { length } = attempts;
    await attempts.at(-1)!.answer({ kind: "later", reason: "nothing listens there" });
    await advance(ms - 1);
    assertEquals(attempts.length, length);
    await advance(1);
    assertEquals(attempts.length, length + 1);
  }
  await attempts.at(-1)!.answer({ kind: "later", reason: "nothing listens there" });
  await advance(60_000);
  assertEquals(attempts.length, 5);
  const text = await logText();
  assertEquals(text.match(/WARNING/g)?.length, 1);
  assertStringIncludes(text, "traces do not get to http://otel:4318: nothing listens there");

  await add(BATCH);
  await attempts.at(-1)!.answer(TAKEN);
  assertStringIncludes(await logText(), `INFO    traces get to http://otel:4318 again, ${BATCH}`);
});

Deno.test("SpanQueue waits as long as the collector asks, up to half a minute", async () => {
  const { attempts, add, advance } = await createWorld();
  await add(BATCH);
  await attempts[0]!.answer({ kind: "later", reason: "it says HTTP 429", waitMs: 7_000 });
  await advance(6_999);
  assertEquals(attempts.length, 1);
  await advance(1);
  assertEquals(attempts.length, 2);
  await attempts[1]!.answer({ kind: "later", reason: "it says HTTP 429", waitMs: 3_600_000 });
  await advance(30_000);
  assertEquals(attempts.length, 3);
});

Deno.test("SpanQueue does not send again what was refused", async () => {
  const { attempts, add, advance, logText } = await createWorld();
  await add(BATCH);
  await attempts[0]!.answer({ kind: "refused", reason: "it says HTTP 400" });
  await advance(60_000);
  assertEquals(attempts.length, 1);
  assertStringIncludes(await logText(), "do not get to http://otel:4318: it says HTTP 400");
});

Deno.test("SpanQueue.flush() sends all that waits", async () => {
  const { attempts, add, queue, logText, clock } = await createWorld();
  await add(BATCH);
  await add(BATCH + 3);
  let isDone = false;
  const flushed = queue.flush(3_000).then(() => isDone = true);
  await settle();
  for (const expected of [BATCH, BATCH, 3]) {
    assertEquals([attempts.at(-1)!.spans, isDone], [expected, false]);
    await attempts.at(-1)!.answer(TAKEN);
  }
  await flushed;
  assertEquals([attempts.length, await logText(), clock.pending.length], [3, "", 0]);
});

Deno.test("SpanQueue.flush() ends in time whatever the collector does", async () => {
  const { attempts, add, advance, queue, logText } = await createWorld();
  await add(3);
  let isDone = false;
  void queue.flush(3_000).then(() => isDone = true);
  await settle();
  assertEquals(attempts.map(({ timeoutMs }) => timeoutMs), [3_000]);
  await advance(2_999);
  assert(!isDone);
  await advance(1);
  assert(isDone);
  assertStringIncludes(await logText(), "3 spans of traces did not get to");
});

Deno.test("SpanQueue.flush() ends the wait for another attempt, and makes one", async () => {
  const { attempts, add, queue, logText } = await createWorld();
  await add(BATCH);
  await attempts[0]!.answer({ kind: "later", reason: "it says HTTP 503", waitMs: 30_000 });
  const flushed = queue.flush(3_000);
  await settle();
  assertEquals(attempts.length, 2);
  await attempts[1]!.answer({ kind: "later", reason: "it says HTTP 503" });
  await flushed;
  assertStringIncludes(await logText(), `${BATCH} spans of traces did not get to`);
});
