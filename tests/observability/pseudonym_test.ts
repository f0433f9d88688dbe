import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { createPseudonym } from "../../lib/observability/pseudonym.ts";

Deno.test("createPseudonym() shows identifiers as they are when told so", () => {
  assertEquals(createPseudonym("plain")("@alice:example.org"), "@alice:example.org");
});

Deno.test("createPseudonym() gives one name to one identifier, others to others", () => {
  const pseudonym = createPseudonym("hashed");
  assertMatch(pseudonym("@alice:example.org"), /^[0-9a-f]{12}$/);
  assertEquals(pseudonym("@alice:example.org"), pseudonym("@alice:example.org"));
  assertNotEquals(pseudonym("@alice:example.org"), pseudonym("@bob:example.org"));
});

Deno.test("createPseudonym() draws new names at each start", () => {
  assertNotEquals(createPseudonym("hashed")("@a:b.c"), createPseudonym("hashed")("@a:b.c"));
});
