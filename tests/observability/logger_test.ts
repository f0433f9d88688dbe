import { assertEquals } from "@std/assert";
import { UnauthorizedError, UpstreamError } from "../../lib/matrix/errors.ts";
import { describeError, hopFact, hopOf } from "../../lib/observability/logger.ts";
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

const AGGREGATE = () =>
  new AggregateError([new Error("a"), "b", new Error("c"), 1, 2], "all of them failed");
const OUTSIDE: typeof CHAINS = [
  { name: "several errors in one", error: AGGREGATE, says: "all of them failed (a; b; c; 1)" },
  {
    name: "a library's long words",
    error: () => new Error("x".repeat(10_000)),
    says: `${"x".repeat(200)}…`,
  },
  {
    name: "a token in a library's words",
    error: () => new Error("a", { cause: new Error("GET /x?access_token=abc failed") }),
    says: "a: GET /x?access_token=[token] failed",
  },
  {
    name: "line breaks in a library's words",
    error: () => new Error("a\nb"),
    says: "a\\u{a}b",
  },
  {
    name: "one hop, which the record has as a property",
    error: () => new UnauthorizedError({ cause: new UpstreamError("tcp", "refused") }),
    says: "The request could not be authorised: refused",
  },
  {
    name: "several hops, each with its own",
    error: () => new UpstreamError("http", "gave up", { cause: new UpstreamError("tls", "no") }),
    says: "gave up: (tls) no",
  },
  {
    name: "an error whose message throws",
    error: () =>
      Object.defineProperty(new Error("a"), "message", {
        get() {
          throw new Error("no");
        },
      }),
    says: "a value without text",
  },
];

for (const { name, error, says } of [...CHAINS, ...OUTSIDE]) {
  Deno.test(`describeError() tells of ${name}`, () => assertEquals(describeError(error()), says));
}

Deno.test("hopOf() finds the outermost hop, however deep it is", () => {
  const inner = new UpstreamError("tls", "no", { cause: new UpstreamError("tcp", "no") });
  assertEquals(hopOf(new Error("a", { cause: new Error("b", { cause: inner }) })), "tls");
  assertEquals(hopOf(new Error("a")), undefined);
  assertEquals(hopFact(inner), { hop: "tls" });
  assertEquals(hopFact("text"), {});
  const circle = new Error("a");
  circle.cause = circle;
  assertEquals(hopOf(circle), undefined);
});

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
