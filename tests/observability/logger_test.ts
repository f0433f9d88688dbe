import { assertEquals } from "@std/assert";
import { describeError } from "../../lib/observability/logger.ts";
import { captureLog } from "../support/captured_log.ts";
import { createManualClock } from "../support/manual_clock.ts";

const CHAINS: { name: string; error: () => unknown; says: string }[] = [
  { name: "an error", error: () => new Error("no token"), says: "no token" },
  { name: "an error without message", error: () => new TypeError(), says: "TypeError" },
  {
    name: "three causes",
    error: () => new Error("a", { cause: new Error("b", { cause: new Error("c") }) }),
    says: "a: b: c",
  },
  {
    name: "sentences",
    error: () => new Error("No.", { cause: new Error("Not here.") }),
    says: "No: Not here",
  },
  {
    name: "a wrapper that ends in its cause's words",
    error: () => new Error("asked: refused", { cause: new Error("refused") }),
    says: "asked: refused",
  },
  { name: "a text as cause", error: () => new Error("a", { cause: "b" }), says: "a: b" },
  { name: "null as cause", error: () => new Error("a", { cause: null }), says: "a: null" },
  { name: "a thrown text", error: () => "text", says: "text" },
  { name: "nothing", error: () => undefined, says: "" },
  {
    name: "what has no text",
    error: () => new Error("a", { cause: Object.create(null) }),
    says: "a: a value without text",
  },
  {
    name: "its own cause",
    error() {
      const error = new Error("a");
      error.cause = error;
      return error;
    },
    says: "a",
  },
  {
    name: "a circle of causes",
    error() {
      const inner = new Error("b");
      const outer = new Error("a", { cause: inner });
      inner.cause = outer;
      return outer;
    },
    says: "a: b",
  },
  {
    name: "more causes than anyone reads",
    error: () =>
      Array.from({ length: 20 }, (_, i) => `${i}`).reduceRight<Error | undefined>(
        (cause, text) => new Error(`<${text}>`, { cause }),
        undefined,
      ),
    says: "<0>: <1>: <2>: <3>: <4>: <5>: <6>: <7>",
  },
];

for (const { name, error, says } of CHAINS) {
  Deno.test(`describeError() tells of ${name}`, () => assertEquals(describeError(error()), says));
}

async function logLines(level: "debug" | "info" | "warning" | "error", format: "text" | "json") {
  const { log, logText } = await captureLog({
    level,
    format,
    clock: createManualClock(),
  });
  log.debug("d");
  log.info("i {server}", { server: "{level}" });
  log.warning("w");
  log.error("e");
  return (await logText()).split("\n").slice(0, -1).map((line) =>
    format === "json" ? JSON.parse(line).message : line.replace(/^\S+ /, "")
  );
}

Deno.test("createLogger() leaves out what is below its level", async () => {
  assertEquals(await logLines("debug", "json"), ["d", "i {server}", "w", "e"]);
  assertEquals(await logLines("info", "json"), ["i {server}", "w", "e"]);
  assertEquals(await logLines("warning", "json"), ["w", "e"]);
  assertEquals(await logLines("error", "json"), ["e"]);
});

Deno.test("createLogger() writes text, and LogTape's own news not at all", async () => {
  assertEquals(await logLines("info", "text"), [
    'INFO    i {server} server="{level}"',
    "WARNING w",
    "ERROR   e",
  ]);
});
