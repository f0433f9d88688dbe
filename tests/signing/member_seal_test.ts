import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { Secret } from "../../lib/secret.ts";
import { type CallMember, createMemberSeal } from "../../lib/signing/member_seal.ts";
import { type LiveKitIdentity, liveKitRoom } from "../../lib/signing/names.ts";

const SECRET = new Secret("a-secret-of-thirty-two-characters!");
const OTHER_SECRET = new Secret("another-secret-of-thirty-two-chars");
const ROOM = liveKitRoom("!room:example.org", "m.call#ROOM");
const OTHER_ROOM = liveKitRoom("!other:example.org", "m.call#ROOM");
const IDENTITY = "@alice:example.org:DEVICE" as LiveKitIdentity;
const ALICE: CallMember = {
  userId: "@alice:example.org",
  roomId: "!room:example.org",
  way: "homeserver",
};
const { seal, open } = createMemberSeal([SECRET]);

// Of SECRET, computed once with this very code: what other replicas and earlier processes sealed
// must open, so the format must not change without a new version byte.
const SEALED =
  "AT2Yk8igdEupL1uJwiVJdH772fRUwV6thNhzsmDzPY8PvlFAZem9onl-N9aANqX-sAwZuubgZ8SfbpQalVXbtnth2gYQGlz-oacz";

Deno.test("open() opens what an earlier process has sealed", () => {
  assertEquals(open(SEALED, ROOM, IDENTITY), ALICE);
});

Deno.test("seal() makes base64url without padding, of another text each time", () => {
  const [first, second] = [seal(ALICE, ROOM, IDENTITY), seal(ALICE, ROOM, IDENTITY)];
  assertEquals(/^[\w-]+$/.test(first), true);
  assertNotEquals(first, second);
  // Not even a part is the same but for the version: neither nonce nor what is encrypted with it.
  assertNotEquals(first.slice(2, 17), second.slice(2, 17));
  assertNotEquals(first.slice(20, 40), second.slice(20, 40));
  assertEquals(open(second, ROOM, IDENTITY), ALICE);
});

Deno.test("seal() does not show whom it is about", () => {
  const bytes = Buffer.from(seal(ALICE, ROOM, IDENTITY), "base64url").toString("latin1");
  for (const part of ["alice", "example", "room"]) assertEquals(bytes.includes(part), false);
});

for (
  const { name, text, room = ROOM, identity = IDENTITY } of [
    { name: "nothing", text: "" },
    { name: "garbage", text: "@alice:example.org" },
    { name: "as many bytes as head and tag", text: Buffer.alloc(29, 1).toString("base64url") },
    { name: "fewer bytes than head and tag", text: Buffer.alloc(28, 1).toString("base64url") },
    { name: "a megabyte", text: SEALED.repeat(5_000) },
    { name: "the seal with more behind it", text: `${SEALED}AA` },
    { name: "the seal with padding", text: `${SEALED}==` },
    { name: "the seal with a line break in it", text: SEALED.replace(/^..../, "$&\n") },
    { name: "the seal without its last letter", text: SEALED.slice(0, -1) },
    { name: "another version's", text: `Ag${SEALED.slice(2)}` },
    { name: "the seal in another room", text: SEALED, room: OTHER_ROOM },
    { name: "the seal of another participant", text: SEALED, identity: "@mallory:example.org:X" },
    {
      name: "the seal with room and identity swapped",
      text: SEALED,
      room: IDENTITY,
      identity: ROOM,
    },
    {
      name: "another secret's",
      text: createMemberSeal([OTHER_SECRET]).seal(ALICE, ROOM, IDENTITY),
    },
  ]
) {
  Deno.test(`open() refuses ${name}`, () => {
    assertEquals(open(text, room, identity), undefined);
  });
}

Deno.test("createMemberSeal() seals with the first secret and opens with all of them", () => {
  const before = createMemberSeal([OTHER_SECRET]);
  const during = createMemberSeal([SECRET, OTHER_SECRET]);
  assertEquals(during.open(before.seal(ALICE, ROOM, IDENTITY), ROOM, IDENTITY), ALICE);
  assertEquals(open(during.seal(ALICE, ROOM, IDENTITY), ROOM, IDENTITY), ALICE);
  assertEquals(before.open(during.seal(ALICE, ROOM, IDENTITY), ROOM, IDENTITY), undefined);
});

Deno.test("createMemberSeal() wants a secret", () => {
  assertThrows(() => createMemberSeal([]), RangeError);
});

for (
  const { name, member } of [
    { name: "a user ID without server", member: { ...ALICE, userId: "@alice" } },
    { name: "an empty user ID", member: { ...ALICE, userId: "" } },
    { name: "a room ID that is none", member: { ...ALICE, roomId: "../../room" } },
    { name: "another way", member: { ...ALICE, way: "elsewhere" as CallMember["way"] } },
    { name: "IDs that are no text", member: { ...ALICE, userId: 1 as unknown as string } },
  ]
) {
  Deno.test(`open() does not believe in ${name}, although sealed with the secret`, () => {
    assertEquals(open(seal(member, ROOM, IDENTITY), ROOM, IDENTITY), undefined);
  });
}

Deno.test("open() opens the longest IDs", () => {
  const member: CallMember = {
    userId: `@${'"'.repeat(242)}:example.org`,
    roomId: `!${"\\".repeat(254)}`,
    way: "openid",
  };
  assertEquals([member.userId.length, member.roomId.length], [255, 255]);
  assertEquals(open(seal(member, ROOM, IDENTITY), ROOM, IDENTITY), member);
});

const letters = fc.string({ unit: "binary", minLength: 1, maxLength: 40 })
  .filter((text) => !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\s:]/u.test(text));
const anyMember: fc.Arbitrary<CallMember> = fc.record({
  userId: letters.map((localpart) => `@${localpart}:example.org:8448`),
  roomId: letters.map((text) => `!${text}`),
  way: fc.constantFrom("homeserver", "openid"),
});
const anyText = fc.string({ unit: "binary" });

Deno.test("open() gives back any member, in its place and nowhere else", () => {
  fc.assert(
    fc.property(anyMember, anyText, anyText, anyText, (member, room, identity, other) => {
      const place = [room as typeof ROOM, identity as LiveKitIdentity] as const;
      const text = seal(member, ...place);
      assertEquals(open(text, ...place), member);
      if (other !== room) assertEquals(open(text, other, identity), undefined);
      if (other !== identity) assertEquals(open(text, room, other), undefined);
    }),
  );
});

Deno.test("open() refuses a seal with any bit changed", () => {
  for (let bit = 0; bit < SEALED.length * 8; bit++) {
    const bytes = Buffer.from(SEALED);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assertEquals(open(bytes.toString("latin1"), ROOM, IDENTITY), undefined, `bit ${bit}`);
  }
});

Deno.test("open() bears any text", () => {
  fc.assert(fc.property(anyText, anyText, anyText, (text, room, identity) => {
    assertEquals(open(text, room, identity), undefined);
  }));
  fc.assert(fc.property(fc.uint8Array({ minLength: 29 }), (bytes) => {
    bytes[0] = 1;
    assertEquals(open(Buffer.from(bytes).toString("base64url"), ROOM, IDENTITY), undefined);
  }));
});
