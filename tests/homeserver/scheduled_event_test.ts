import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { namesAnotherUser } from "../../lib/homeserver/scheduled_event.ts";

const keys: [string, string, boolean][] = [
  ["@alice:example.org", "@alice:example.org", false],
  ["_@alice:example.org", "@alice:example.org", false],
  ["@alice:example.org_DEVICE", "@alice:example.org", false],
  ["_@alice:example.org_DEVICE_m.call", "@alice:example.org", false],
  ["@alice:example.org:8448_DEVICE", "@alice:example.org:8448", false],
  ["_@_alice_:[::1]_DEVICE", "@_alice_:[::1]", false],
  ["", "@alice:example.org", false],
  ["_", "@alice:example.org", false],
  ["@", "@alice:example.org", false],
  ["@alice", "@alice:example.org", false],
  ["@alice:", "@alice:example.org", false],
  ["m.call#ROOM", "@alice:example.org", false],
  ["__@bob:example.org_", "@alice:example.org", false],
  ["@bob:example.org", "@alice:example.org", true],
  ["_@bob:example.org_DEVICE_m.call", "@alice:example.org", true],
  ["@alice:example.org", "@al:example.org", true],
  ["@al:example.org", "@alice:example.org", true],
  ["@alice:example.org.evil", "@alice:example.org", true],
  ["_@alice:example.org.evil_DEVICE", "@alice:example.org", true],
  ["@alice:example.org:8448_DEVICE", "@alice:example.org", true],
  ["@alice:example.org", "@alice:example.org:8448", true],
  ["@alice:example.or", "@alice:example.org", true],
  ["@ALICE:example.org", "@alice:example.org", true],
  ["@alice\n:example.org", "@alice:example.org", true],
  ["@alice_:example.org", "@alice:example.org", true],
];
for (const [stateKey, userId, isAnother] of keys) {
  const what = `${JSON.stringify(stateKey)} names ${
    isAnother ? "somebody else than" : "nobody but"
  }`;
  Deno.test(`namesAnotherUser() finds that ${what} ${userId}`, () => {
    assertEquals(namesAnotherUser(stateKey, userId), isAnother);
  });
}

Deno.test("namesAnotherUser() takes each of two users' keys for that user's", () => {
  const localpart = fc.string({
    unit: fc.constantFrom("a", "b", "_", "."),
    minLength: 1,
    maxLength: 4,
  });
  const server = fc.string({
    unit: fc.constantFrom("a", ".", ":", "8"),
    minLength: 1,
    maxLength: 4,
  });
  const user = fc.tuple(localpart, server).map(([name, place]) => `@${name}:${place}`);
  const form = fc.constantFrom(
    (id: string) => id,
    (id: string) => `_${id}_D`,
    (id: string) => `${id}_`,
  );
  fc.assert(fc.property(user, user, form, (owner, asked, keyOf) => {
    assertEquals(namesAnotherUser(keyOf(owner), asked), owner !== asked);
  }));
});
