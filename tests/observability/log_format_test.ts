import { assert, assertEquals } from "@std/assert";
import type { LogRecord } from "@logtape/logtape";
import fc from "fast-check";
import { formatJson, formatText } from "../../lib/observability/log_format.ts";

const TIMESTAMP = Date.UTC(2026, 10, 24, 10, 0, 0, 7);

function record(text: string, properties: Record<string, unknown> = {}): LogRecord {
  return {
    category: ["matrixrtc-auth"],
    level: "info",
    message: [text],
    rawMessage: text,
    timestamp: TIMESTAMP,
    properties,
  };
}

Deno.test("formatText() writes time, level, message and properties", () => {
  const line = formatText(record("issued a join token", {
    endpoint: "/sfu/get",
    ms: 12,
    server: "[::1]:8448",
    note: "two words",
    empty: "",
    absent: undefined,
  }));
  assertEquals(
    line,
    "2026-11-24T10:00:00.007Z INFO    issued a join token endpoint=/sfu/get ms=12 " +
      'server="[::1]:8448" note="two words" empty=""\n',
  );
});

Deno.test("formatText() lines the levels up", () => {
  for (const level of ["debug", "info", "warning", "error"] as const) {
    const line = formatText({ ...record("x"), level });
    assertEquals(line, `2026-11-24T10:00:00.007Z ${level.toUpperCase().padEnd(7)} x\n`);
  }
});

Deno.test("formatJson() writes the same as one object", () => {
  const line = formatJson(record("listening", { ms: 12, server: "a b", absent: undefined }));
  assertEquals(line.at(-1), "\n");
  assertEquals(JSON.parse(line), {
    time: "2026-11-24T10:00:00.007Z",
    level: "info",
    message: "listening",
    ms: 12,
    server: "a b",
  });
});

const FORGERIES = [
  { name: "a second line", text: "x\n2026-11-24T10:00:00.000Z ERROR   forged", shown: "\\u{a}" },
  { name: "a carriage return", text: "x\rforged", shown: "\\u{d}" },
  { name: "a terminal's escape", text: "\x1b[2Jforged", shown: "\\u{1b}[2J" },
  { name: "an 8-bit escape", text: "\x9b2Jforged", shown: "\\u{9b}2J" },
  { name: "NUL", text: "a\0b", shown: "a\\u{0}b" },
  { name: "a line separator", text: "a\u2028b", shown: "a\\u{2028}b" },
  { name: "a paragraph separator", text: "a\u2029b", shown: "a\\u{2029}b" },
  { name: "text turned around", text: "a\u202eb", shown: "a\\u{202e}b" },
  { name: "half a surrogate pair", text: "a\ud800b", shown: "a\\u{d800}b" },
];

for (const { name, text, shown } of FORGERIES) {
  Deno.test(`formatText() shows ${name} as an escape`, () => {
    assert(formatText(record(text)).includes(shown));
    const inValue = formatText(record("message", { server: text }));
    assert(inValue.includes(shown.replaceAll("\\", "\\\\")));
    assertEquals(inValue.match(/\n/g)!.length, 1);
  });

  Deno.test(`formatJson() shows ${name} as an escape`, () => {
    const { message, server } = JSON.parse(formatJson(record(text, { server: text })));
    assert(message.includes(shown));
    assertEquals(server, message);
  });
}

Deno.test("formatText() and formatJson() cut values at 200 characters and messages at 2000", () => {
  const properties = { value: "v".repeat(201), fits: "f".repeat(200) };
  const long = record("m".repeat(2_001), properties);
  const { message, value, fits } = JSON.parse(formatJson(long));
  assertEquals([message, value, fits], [
    `${"m".repeat(2_000)}…`,
    `${"v".repeat(200)}…`,
    "f".repeat(200),
  ]);
  const text = formatText(long);
  assert(
    text.includes(`${"m".repeat(2_000)}… value="${"v".repeat(200)}…" fits=${"f".repeat(200)}`),
  );
});

Deno.test("formatText() keeps braces, which LogTape would fill in", () => {
  const text = 'homeserver says {"server":"{server}"} {{ {*} {';
  const filled = ["homeserver says ", undefined, " {"];
  const properties = { server: "example.org" };
  const line = formatText({ ...record(text, properties), message: filled });
  assert(line.includes(text));
  assertEquals(
    JSON.parse(formatJson({ ...record(text, properties), message: filled })).message,
    text,
  );
});

Deno.test("formatText() fills in LogTape's messages about itself", () => {
  const line = formatText({
    ...record("Failed to emit to {sink}"),
    category: ["logtape", "meta"],
    message: ["Failed to emit to ", "log", ""],
  });
  assert(line.endsWith("Failed to emit to log\n"));
});

/** What an attacker, or a bug, may have as a value. */
const ODD_VALUES: { name: string; value: unknown; text: string; json?: unknown }[] = [
  { name: "NaN", value: NaN, text: "NaN", json: "NaN" },
  { name: "Infinity", value: -Infinity, text: "-Infinity", json: "-Infinity" },
  { name: "-0", value: -0, text: "0", json: 0 },
  { name: "a boolean", value: true, text: "true", json: true },
  { name: "null", value: null, text: "null", json: "null" },
  { name: "a BigInt", value: 2n ** 70n, text: "1180591620717411303424" },
  { name: "a symbol", value: Symbol("x"), text: '"Symbol(x)"', json: "Symbol(x)" },
  { name: "a date", value: new Date(0), text: "1970-01-01T00:00:00.000Z" },
  { name: "no date", value: new Date(NaN), text: '"no date"', json: "no date" },
  { name: "an error", value: new TypeError("x"), text: '"TypeError: x"', json: "TypeError: x" },
  { name: "an array", value: [1, "a"], text: '"[1,\\"a\\"]"', json: '[1,"a"]' },
  { name: "an object", value: { a: 1 }, text: '"{\\"a\\":1}"', json: '{"a":1}' },
  { name: "no text", value: Object.create(null), text: '"a value without text"' },
  { name: "a circle", value: circle(), text: '"a value without text"' },
  { name: "BigInts inside", value: { a: 1n }, text: '"a value without text"' },
  {
    name: "a getter that throws",
    value: {
      get a() {
        throw new Error("no");
      },
    },
    text: '"a value without text"',
  },
  {
    name: "other properties inside",
    value: 'alice level=error request="x"',
    text: '"alice level=error request=\\"x\\""',
    json: 'alice level=error request="x"',
  },
];

function circle(): unknown {
  const value: { self?: unknown } = {};
  value.self = value;
  return value;
}

for (const { name, value, text, json = text.replace(/^"|"$/g, "") } of ODD_VALUES) {
  Deno.test(`formatText() and formatJson() take ${name} for a value`, () => {
    const line = formatText(record("x", { key: value, next: 1 }));
    assertEquals(line, `2026-11-24T10:00:00.007Z INFO    x key=${text} next=1\n`);
    assertEquals(JSON.parse(formatJson(record("x", { key: value }))).key, json);
  });
}

Deno.test("formatText() and formatJson() cut a value of ten megabytes", () => {
  const properties = { value: "\u{1}".repeat(10_000_000) };
  assert(formatText(record("x", properties)).length < 1_300);
  assert(formatJson(record("x", properties)).length < 1_300);
});

Deno.test("formatText() lets no message pass for properties", () => {
  const line = formatText(record("LiveKit says x user=@eve:evil request=1", { user: "bob" }));
  assertEquals(
    line,
    "2026-11-24T10:00:00.007Z INFO    LiveKit says x user\\u{3d}@eve:evil request\\u{3d}1 user=bob\n",
  );
});

Deno.test("formatText() and formatJson() let no key break a line or take another's place", () => {
  const properties = { "a b=\n": 1, time: "forged", level: "forged", message: "forged" };
  assert(formatText(record("x", properties)).includes(" a_b__=1 "));
  const line = JSON.parse(formatJson(record("x", properties)));
  assertEquals([line.time, line.level, line.message], ["2026-11-24T10:00:00.007Z", "info", "x"]);
  assertEquals(line["property.message"], "forged");
});

/** Takes a line apart as a program would that reads the log. */
function propertiesOf(line: string): Record<string, string> {
  const pairs = line.matchAll(/ ([\w.]+)=("(?:[^"\\]|\\.)*"|[\w./:@*+-]+)(?= |\n)/g);
  return Object.fromEntries(
    [...pairs].map(([, key, value]) => [key, value!.startsWith('"') ? JSON.parse(value!) : value]),
  );
}

Deno.test("formatText() is read back as it was written, whatever message and values hold", () => {
  const hostile = fc.oneof(
    fc.string({ unit: "grapheme-ascii" }),
    fc.stringMatching(/^[a-z ="\\\n]{0,30}$/),
    fc.constantFrom('x" level="error', "x level=error", "\\", '\\"', "a=b"),
  );
  fc.assert(
    fc.property(hostile, hostile, hostile, (message, first, second) => {
      const line = formatText(record(message, { first, second }));
      assertEquals(propertiesOf(line), { first: escaped(first), second: escaped(second) });
    }),
    { numRuns: 1000 },
  );
});

function escaped(text: string): string {
  return text.replaceAll("\n", "\\u{a}");
}

Deno.test("formatText() makes one printable line, and formatJson() valid JSON, of anything", () => {
  const values = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.anything({ withBigInt: true, withDate: true }),
  );
  fc.assert(fc.property(
    fc.string({ unit: "binary" }),
    fc.dictionary(fc.string({ unit: "binary" }), values),
    (text, properties) => {
      const line = formatText(record(text, properties));
      assert(line.endsWith("\n"));
      assert(!/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Cf}]/u.test(line.slice(0, -1)));
      const json = formatJson(record(text, properties));
      assertEquals(json.indexOf("\n"), json.length - 1);
      JSON.parse(json);
    },
  ));
});
