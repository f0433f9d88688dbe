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

Deno.test("formatText() makes one printable line, and formatJson() valid JSON, of anything", () => {
  const values = fc.oneof(fc.string({ unit: "binary" }), fc.integer(), fc.boolean(), fc.object());
  fc.assert(fc.property(
    fc.string({ unit: "binary" }),
    fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), values),
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
