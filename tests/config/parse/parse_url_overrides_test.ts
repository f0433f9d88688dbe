import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InvalidValueError } from "../../../lib/config/parse/invalid_value.ts";
import { parseUrlOverrides } from "../../../lib/config/parse/parse_url_overrides.ts";

const OVERRIDES = {
  "a.example=http://synapse:8008/": { "a.example": "http://synapse:8008" },
  "a.example=synapse:8448": { "a.example": "https://synapse:8448" },
  " a.example = https://m.a.example/x/ ,": { "a.example": "https://m.a.example/x" },
  "[::1]:8448=https://b, c=d": { "[::1]:8448": "https://b", "c": "https://d" },
  "a=https://b\n c=https://d\n": { a: "https://b", c: "https://d" },
  "a=https://b:443": { a: "https://b" },
};
for (const [text, overrides] of Object.entries(OVERRIDES)) {
  Deno.test(`parseUrlOverrides() understands ${JSON.stringify(text)}`, () => {
    assertEquals(Object.fromEntries(parseUrlOverrides(text)), overrides);
  });
}

Deno.test("parseUrlOverrides() names the entry that is wrong", () => {
  assertThrows(() => parseUrlOverrides("a=https://b,c"), InvalidValueError, '"c" has no "="');
  assertThrows(() => parseUrlOverrides("a=https://b,c=x y"), InvalidValueError, 'URL of "c"');
});

Deno.test("parseUrlOverrides() reads back any names and URLs", () => {
  const entries = fc.dictionary(
    fc.domain(),
    fc.webUrl({ withFragments: false, withQueryParameters: false }).map((url) => {
      return new URL(url).href.replace(/\/+$/, "");
    }).filter((url) => !url.includes(",")),
    { minKeys: 1 },
  );
  fc.assert(fc.property(entries, (overrides) => {
    const text = Object.entries(overrides).map((entry) => entry.join("=")).join(",");
    assertEquals(Object.fromEntries(parseUrlOverrides(text)), { ...overrides });
  }));
});
