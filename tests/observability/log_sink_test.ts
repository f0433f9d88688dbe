import { assert, assertEquals } from "@std/assert";
import type { LogRecord } from "@logtape/logtape";
import { formatJson } from "../../lib/observability/log_format.ts";
import { createLogSink } from "../../lib/observability/log_sink.ts";
import { createManualClock } from "../support/manual_clock.ts";

const BATCH_MS = 50;

function record(text: string): LogRecord {
  return {
    category: ["matrixrtc-auth"],
    level: "info",
    message: [text],
    rawMessage: text,
    timestamp: 0,
    properties: {},
  };
}

/** A sink whose writes end when the test says so. */
function createWorld() {
  const clock = createManualClock();
  const writes: { text: string; done: PromiseWithResolvers<void> }[] = [];
  const { sink, flush } = createLogSink(({ rawMessage }) => `${rawMessage}\n`, (bytes) => {
    const done = Promise.withResolvers<void>();
    writes.push({ text: new TextDecoder().decode(bytes), done });
    return done.promise;
  }, clock);
  return { clock, writes, log: (text: string) => sink(record(text)), flush };
}

/** Lets everything happen that waits for no event from outside. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

Deno.test("createLogSink() writes what was logged within a while at once", async () => {
  const { clock, writes, log } = createWorld();
  log("a");
  clock.advance(BATCH_MS - 1);
  log("b");
  await settle();
  assertEquals(writes.length, 0);
  clock.advance(1);
  await settle();
  assertEquals(writes.map(({ text }) => text), ["a\nb\n"]);
});

Deno.test("createLogSink() never writes twice at a time", async () => {
  const { clock, writes, log } = createWorld();
  log("a");
  clock.advance(BATCH_MS);
  await settle();
  log("b");
  clock.advance(BATCH_MS);
  log("c");
  clock.advance(BATCH_MS);
  await settle();
  assertEquals(writes.length, 1);
  writes[0]!.done.resolve();
  await settle();
  clock.advance(BATCH_MS);
  await settle();
  assertEquals(writes.map(({ text }) => text), ["a\n", "b\nc\n"]);
});

Deno.test("createLogSink() loses no line that comes while a write ends", async () => {
  // Whichever step of the ending the line falls into, it must come out.
  for (let steps = 0; steps < 12; steps++) {
    const { clock, writes, log, flush } = createWorld();
    log("first");
    clock.advance(BATCH_MS);
    await settle();
    writes[0]!.done.resolve();
    for (let i = 0; i < steps; i++) await Promise.resolve();
    log("last");
    const flushed = flush();
    await settle();
    assertEquals(writes[1]?.text, "last\n", `a line ${steps} steps after the write`);
    writes[1]!.done.resolve();
    await flushed;
  }
});

Deno.test("createLogSink() counts the lines that nobody reads in time, in the log's format", async () => {
  const clock = createManualClock();
  const written: string[] = [];
  const { sink, flush } = createLogSink(formatJson, (bytes) => {
    written.push(new TextDecoder().decode(bytes));
    return Promise.resolve();
  }, clock);
  for (let i = 0; i < 10_003; i++) sink(record(`line ${i}`));
  await flush();
  const lines = written.join("").trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.length, 10_001);
  assertEquals(lines[9_999].message, "line 9999");
  assertEquals([lines[10_000].level, lines[10_000].message], [
    "warning",
    "3 log lines were dropped: nobody reads them in time",
  ]);
  sink(record("later"));
  await flush();
  assertEquals(JSON.parse(written.at(-1)!).message, "later");
});

Deno.test("flush() waits for what is being written and for what waits behind it", async () => {
  const { clock, writes, log, flush } = createWorld();
  log("a");
  clock.advance(BATCH_MS);
  await settle();
  log("b");
  let isFlushed = false;
  const flushing = flush().then(() => isFlushed = true);
  writes[0]!.done.resolve();
  await settle();
  assertEquals([writes.map(({ text }) => text), isFlushed], [["a\n", "b\n"], false]);
  writes[1]!.done.resolve();
  await flushing;
});

Deno.test("flush() writes at once what would wait for others", async () => {
  const { writes, log, flush } = createWorld();
  log("a");
  const flushing = flush();
  await settle();
  assertEquals(writes.length, 1);
  writes[0]!.done.resolve();
  await flushing;
  await flush();
  assertEquals(writes.length, 1);
});

Deno.test("createLogSink() goes on after a write that failed", async () => {
  const { clock, writes, log, flush } = createWorld();
  log("lost");
  clock.advance(BATCH_MS);
  await settle();
  log("kept");
  writes[0]!.done.reject(new Deno.errors.BrokenPipe("nobody there"));
  const flushing = flush();
  await settle();
  assertEquals(writes[1]?.text, "kept\n");
  writes[1]!.done.resolve();
  await flushing;
  assert(clock.pending.length <= 1);
});
