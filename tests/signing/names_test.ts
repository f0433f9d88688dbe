import { assertEquals, assertNotEquals } from "@std/assert";
import { createHash } from "node:crypto";
import fc from "fast-check";
import {
  hashedIdentity,
  legacyIdentity,
  liveKitRoom,
  ROOM_CALL_SLOT_ID,
} from "../../lib/signing/names.ts";

/** Inputs with their SHA-256, which other implementations compute too. */
const VECTORS = [
  {
    parts: ["!roomid:example.com", "slot1234"],
    hex: "3bce37ed6dfe8e6ccc563a083f7b4dc1b9be5f11d093688aa4e03b6aac37a927",
    base64: "O8437W3+jmzMVjoIP3tNwbm+XxHQk2iKpOA7aqw3qSc",
  },
  {
    parts: ["!roomid:example.com", "slot123", "random123"],
    hex: "20c78377e2b7308a894c8db4117048adea4a92184e46f7f7abc7f1deb96b8539",
    base64: "IMeDd+K3MIqJTI20EXBIrepKkhhORvf3q8fx3rlrhTk",
  },
  {
    parts: ["@alice:example.com", "DEVICE123", "memberABC"],
    hex: "27e4f8e6d1abbb173e1eb50ea89265c90495df79bbdbc0a67b8fafb7cfd25ab5",
    base64: "J+T45tGruxc+HrUOqJJlyQSV33m728Cme4+vt8/SWrU",
  },
  {
    parts: ["@alice:example.com", "memberABC"],
    hex: "337567b0b5eb91bc480c83573bae2ef0f6731720fd6581624142d1d9db21598b",
    base64: "M3VnsLXrkbxIDINXO64u8PZzFyD9ZYFiQULR2dshWYs",
  },
  {
    parts: ["!room:example.com", "m.call#ROOM"],
    hex: "92b8f6760c70d8ae843a6f617b819f409e89b125567c9f1aec19328d97129b1b",
    base64: "krj2dgxw2K6EOm9he4GfQJ6JsSVWfJ8a7BkyjZcSmxs",
  },
] as const;

for (const { parts, hex, base64 } of VECTORS) {
  Deno.test(`hashedIdentity() hashes ${JSON.stringify(parts)} as others do`, () => {
    const [first, ...rest] = parts;
    const derived = hashedIdentity(first, ...rest);
    assertEquals<string>(derived, base64);
    assertEquals(Uint8Array.fromBase64(derived).toHex(), hex);
  });
}

for (const { parts, base64 } of VECTORS.filter(({ parts }) => parts.length === 2)) {
  Deno.test(`liveKitRoom() hashes ${JSON.stringify(parts)} as others do`, () => {
    assertEquals<string>(liveKitRoom(parts[0], parts[1]), base64);
  });
}

Deno.test("ROOM_CALL_SLOT_ID is the slot of the last vector", () => {
  assertEquals(ROOM_CALL_SLOT_ID, "m.call#ROOM");
});

Deno.test("liveKitRoom() escapes no more than canonical JSON does", () => {
  const utf8 = new TextEncoder().encode('["!<a>&b","\u2028\u2029é😀/\\"\\\\\\n"]');
  const expected = createHash("sha256").update(utf8).digest("base64").replace(/=$/, "");
  assertEquals<string>(liveKitRoom("!<a>&b", '\u2028\u2029é😀/"\\\n'), expected);
});

Deno.test("liveKitRoom() keeps apart what only looks alike when it is joined", () => {
  assertNotEquals(liveKitRoom("a,b", "c"), liveKitRoom("a", "b,c"));
  assertNotEquals(liveKitRoom('a","b', "c"), liveKitRoom("a", 'b","c'));
  assertNotEquals(liveKitRoom("", "ab"), liveKitRoom("ab", ""));
});

Deno.test("hashedIdentity() is 43 characters of standard base64, whatever goes in", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), fc.array(fc.string()), (user, parts) => {
    const identity = hashedIdentity(user, ...parts);
    assertEquals(/^[A-Za-z0-9+/]{43}$/.test(identity), true);
    assertEquals(identity, hashedIdentity(user, ...parts));
  }));
});

Deno.test("legacyIdentity() is user and device in the clear, the colon always there", () => {
  assertEquals<string>(legacyIdentity("@alice:example.com", "DEVICE"), "@alice:example.com:DEVICE");
  assertEquals<string>(legacyIdentity("@alice:example.com", ""), "@alice:example.com:");
  assertEquals<string>(legacyIdentity("@é:example.com:8448", "<&>"), "@é:example.com:8448:<&>");
});
