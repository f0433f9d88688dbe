import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InvalidValueError } from "../../../lib/config/parse/invalid_value.ts";
import { parseKeyFile, parseKeyLines } from "../../../lib/config/parse/parse_key_file.ts";

const PAIRS = [
  { name: "one line", text: "devkey: secret", pairs: [["devkey", "secret"]] },
  { name: "no blank after the colon", text: "devkey:secret", pairs: [["devkey", "secret"]] },
  { name: "trailing CR and LF", text: "devkey: secret\r\n\r\n", pairs: [["devkey", "secret"]] },
  { name: "quotes", text: `"devkey": 'secret'`, pairs: [["devkey", "secret"]] },
  { name: "a quoted colon", text: `"dev:key": "se:cret"`, pairs: [["dev:key", "se:cret"]] },
  { name: "a colon in the secret", text: "devkey: se:cret", pairs: [["devkey", "se:cret"]] },
  { name: "comments", text: "# a\ndevkey: secret # b\n", pairs: [["devkey", "secret"]] },
  { name: "a # that begins no comment", text: "devkey: se#cret", pairs: [["devkey", "se#cret"]] },
  { name: "a quoted comment sign", text: `devkey: "se #c" # d`, pairs: [["devkey", "se #c"]] },
  { name: "several lines", text: "a: b\nc: d\n", pairs: [["a", "b"], ["c", "d"]] },
  { name: "LiveKit's YAML", text: "---\nkeys:\n  a: b\n  c: d\n", pairs: [["a", "b"], ["c", "d"]] },
  { name: "a repeated line", text: "a: b\na: b", pairs: [["a", "b"]] },
] as const;
for (const { name, text, pairs } of PAIRS) {
  Deno.test(`parseKeyLines() understands ${name}`, () => {
    assertEquals(parseKeyLines(text), { kind: "pairs", pairs: new Map(pairs) });
  });
}

Deno.test("parseKeyFile() takes a file of the first releases for just the key", () => {
  for (const text of ["devkey", "devkey\r\n", ' "devkey" # mine\n', "\n\ndevkey\n"]) {
    const context = { warn: () => {}, readFile: () => text };
    assertEquals(parseKeyFile("/run/key", context), { kind: "key", key: "devkey" });
  }
});

const REFUSALS = [
  { name: "comments only", text: "# a\n---\n", says: "holds no key" },
  { name: "two lines without a colon", text: "devkey\nhunter2", says: "line 1 has no colon" },
  { name: "a line without a colon", text: "a: hunter2\n\nhunter2", says: "line 3 has no colon" },
  { name: "a missing secret", text: "hunter2:", says: "line 1 lacks" },
  { name: "a missing key", text: ": hunter2", says: "line 1 lacks" },
  { name: "a second secret", text: "a: hunter2\na: hunter3", says: "line 2 gives a key a second" },
  { name: "control characters", text: "a: hunter2\0", says: "line 1 holds a control character" },
];
for (const { name, text, says } of REFUSALS) {
  Deno.test(`parseKeyLines() refuses ${name} and quotes nothing`, () => {
    const error = assertThrows(() => parseKeyLines(text), InvalidValueError, says);
    assert(!error.message.includes("hunter2"));
  });
}

Deno.test("parseKeyLines() reads back quoted pairs", () => {
  const part = fc.string({ minLength: 1 }).filter((text) => !/["\p{Cc}]/u.test(text));
  fc.assert(fc.property(part, part, (key, secret) => {
    assertEquals(parseKeyLines(`"${key}": "${secret}"`), {
      kind: "pairs",
      pairs: new Map([[key, secret]]),
    });
  }));
});
