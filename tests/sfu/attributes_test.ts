import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseAttributes } from "../../lib/sfu/attributes.ts";

const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`${i}`, "text"]));

for (
  const { name, value, kept } of [
    { name: "texts", value: { a: "1", b: "2" }, kept: { a: "1", b: "2" } },
    { name: "numbers and objects beside a text", value: { a: 1, b: {}, c: "x" }, kept: { c: "x" } },
    { name: "an empty text beside another", value: { a: "", b: "x" }, kept: { b: "x" } },
    { name: "nothing but empty texts", value: { a: "" } },
    { name: "nothing", value: {} },
    { name: "null", value: null },
    { name: "a text", value: "text" },
    { name: "a list", value: ["text"] },
    { name: "as many as may be", value: many(64), kept: many(64) },
    { name: "one too many", value: many(65) },
    { name: "the longest value", value: { a: "x".repeat(4_096) }, kept: { a: "x".repeat(4_096) } },
    { name: "too long a value", value: { a: "x".repeat(4_097), b: "y" }, kept: { b: "y" } },
    {
      name: "a name of Object's",
      value: JSON.parse('{"__proto__":"x"}'),
      kept: JSON.parse('{"__proto__":"x"}'),
    },
  ]
) {
  Deno.test(`parseAttributes() bears ${name}`, () => {
    assertEquals(parseAttributes(value), kept === undefined ? {} : { attributes: kept });
  });
}

Deno.test("parseAttributes() gives texts and nothing else, whatever it is given", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const { attributes = { none: "none" } } = parseAttributes(value);
    const texts = Object.values(attributes);
    assertEquals(texts.length > 0, true);
    assertEquals(texts.every((text) => typeof text === "string" && text !== ""), true);
  }));
});
