import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { printable, quoteValue } from "../../../lib/config/parse/quote_value.ts";

Deno.test("printable() escapes control and format characters", () => {
  assertEquals(printable("a\r\n\t\0\u001b[31m\u202Eb"), "a\\r\\n\\t\\u{0}\\u{1b}[31m\\u{202e}b");
});

Deno.test("printable() leaves letters of all scripts alone", () => {
  assertEquals(printable("käse 奶酪 😀"), "käse 奶酪 😀");
});

Deno.test("quoteValue() cuts at 200 characters", () => {
  assertEquals(quoteValue("😀".repeat(201)), `"${"😀".repeat(200)}…"`);
  assertEquals(quoteValue("a".repeat(200)), `"${"a".repeat(200)}"`);
});

const WITH_PASSWORDS = [
  "wss://me:hunter2@sfu",
  "wss://hunter2@sfu/path",
  "wss://me:hun/ter2@hunter2@sfu",
  "me:hunter2@sfu",
  "a=https://me:hunter2@b,c=https://you:hunter2@d",
];
for (const text of WITH_PASSWORDS) {
  Deno.test(`printable() hides the password of ${text}`, () => {
    const shown = printable(text);
    assert(shown.includes("[secret]") && !/hunter2|ter2/.test(shown), shown);
  });
}

Deno.test("printable() gives one short line for anything", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
    const shown = printable(text);
    assert(!/[\p{Cc}\u2028\u2029]/u.test(shown));
    // The longest escape of one character has ten.
    assert(shown.length <= 2001);
  }));
});

Deno.test("printable() is quick with long values", () => {
  assertEquals([...printable("a".repeat(1_000_000))].length, 201);
});
