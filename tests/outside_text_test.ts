import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { outsideText, printable } from "../lib/outside_text.ts";

const JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";

const TEXTS = [
  { name: "leaves words alone", text: "connection refused (os error 111)", says: undefined },
  { name: "takes out a JWT", text: `bad token: ${JWT}!`, says: "bad token: [token]!" },
  {
    name: "takes out half a JWT",
    text: `bad token: ${JWT.slice(0, 16)}`,
    says: "bad token: [token]",
  },
  {
    name: "takes a token out of a query",
    text: "at https://hs/userinfo?access_token=abc&x=1 (no)",
    says: "at https://hs/userinfo?access_token=[token]&x=1 (no)",
  },
  { name: "escapes line breaks", text: "a\r\nb", says: "a\\u{d}\\u{a}b" },
  { name: "cuts at 200 characters", text: "x".repeat(201), says: `${"x".repeat(200)}…` },
];

for (const { name, text, says } of TEXTS) {
  Deno.test(`outsideText() ${name}`, () => assertEquals(outsideText(text), says ?? text));
}

Deno.test("outsideText() takes out a token that the cut would halve", () => {
  assertEquals(outsideText("x".repeat(190) + JWT), `${"x".repeat(190)}[token]`);
});

Deno.test("printable() makes one short line of anything", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
    const shown = printable(text, 50);
    assert(shown.isWellFormed() && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(shown));
    assert(shown.length <= 51 * "\\u{10ffff}".length);
  }));
});
