import { assertEquals, assertNotEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { TokenVerifier } from "livekit-server-sdk";
import { Secret } from "../../lib/secret.ts";
import { createSigner } from "../../lib/signing/hs256.ts";
import { createJoinTokenIssuer, type JoinTokenOptions } from "../../lib/signing/join_token.ts";
import { type CallMember, createMemberSeal } from "../../lib/signing/member_seal.ts";
import { legacyIdentity, liveKitRoom } from "../../lib/signing/names.ts";
import { createManualClock } from "../support/manual_clock.ts";

const SECRET = "a-secret-of-thirty-two-characters!";
const ROOM = liveKitRoom("!room:example.com", "m.call#ROOM");
const IDENTITY = legacyIdentity("@alice:example.com", "DEVICE");

function createIssuer(options: Partial<JoinTokenOptions> = {}) {
  return createJoinTokenIssuer({
    apiKey: "devkey",
    sign: createSigner(new Secret(SECRET)),
    ttlSeconds: 3600,
    canUpdateOwnMetadata: false,
    clock: createManualClock(),
    ...options,
  });
}

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());
}

Deno.test("createJoinTokenIssuer() issues exactly the claims and grants of MSC4195", () => {
  const now = 1_700_000_000;
  const issue = createIssuer({ clock: createManualClock(now * 1000 + 999) });
  assertEquals(claimsOf(issue({ room: ROOM, identity: IDENTITY, canPublish: true })), {
    iss: "devkey",
    sub: "@alice:example.com:DEVICE",
    iat: now,
    nbf: now,
    exp: now + 3600,
    video: {
      roomJoin: true,
      room: "krj2dgxw2K6EOm9he4GfQJ6JsSVWfJ8a7BkyjZcSmxs",
      roomCreate: false,
      canPublish: true,
      canSubscribe: true,
      canUpdateOwnMetadata: false,
      hidden: false,
    },
  });
});

Deno.test("createJoinTokenIssuer() writes a refused right out, since LiveKit grants absent ones", () => {
  const { video } = claimsOf(createIssuer()({ room: ROOM, identity: IDENTITY, canPublish: false }));
  assertEquals((video as Record<string, unknown>).canPublish, false);
});

Deno.test("createJoinTokenIssuer() takes lifetime and metadata right from its options", () => {
  const clock = createManualClock();
  const issue = createIssuer({ ttlSeconds: 60, canUpdateOwnMetadata: true, clock });
  const { nbf, exp, video } = claimsOf(issue({ room: ROOM, identity: IDENTITY, canPublish: true }));
  assertEquals(Number(exp) - Number(nbf), 60);
  assertEquals((video as Record<string, unknown>).canUpdateOwnMetadata, true);
});

Deno.test("createJoinTokenIssuer() reads the time of day for every token", () => {
  const clock = createManualClock();
  const issue = createIssuer({ clock });
  const params = { room: ROOM, identity: IDENTITY, canPublish: true };
  const first = claimsOf(issue(params));
  clock.advance(1_000);
  assertNotEquals(claimsOf(issue(params)), first);
  assertEquals(claimsOf(issue(params)).iat, Number(first.iat) + 1);
});

Deno.test("createJoinTokenIssuer() issues tokens that LiveKit's verifier accepts at once", async () => {
  const identity = legacyIdentity("@zoë-日本:example.com", "DEVICE");
  const issue = createIssuer({ clock: createManualClock(Date.now()) });
  const token = issue({ room: ROOM, identity, canPublish: true });
  const claims = await new TokenVerifier("devkey", SECRET).verify(token);
  assertEquals(claims.sub, "@zoë-日本:example.com:DEVICE");
  assertEquals(claims.video, {
    roomJoin: true,
    room: ROOM,
    roomCreate: false,
    canPublish: true,
    canSubscribe: true,
    canUpdateOwnMetadata: false,
    hidden: false,
  });
});

const ALICE: CallMember = {
  userId: "@alice:example.com",
  roomId: "!room:example.com",
  way: "homeserver",
};
const seal = createMemberSeal([new Secret(SECRET)]);

Deno.test("createJoinTokenIssuer() puts the member into an attribute that LiveKit's verifier reads", async () => {
  const issue = createIssuer({ clock: createManualClock(Date.now()), seal });
  const token = issue({ room: ROOM, identity: IDENTITY, canPublish: true, member: ALICE });
  const { attributes } = await new TokenVerifier("devkey", SECRET).verify(token);
  assertEquals(Object.keys(attributes!), ["io.matrixrtc-auth.member"]);
  const sealed = attributes!["io.matrixrtc-auth.member"]!;
  assertEquals(seal.open(sealed, ROOM, IDENTITY), ALICE);
});

for (
  const { name, options, member } of [
    { name: "nobody has a seal", options: {}, member: ALICE },
    { name: "nobody says who the member is", options: { seal }, member: undefined },
    {
      name: "the member's room is none",
      options: { seal },
      member: { ...ALICE, roomId: "x".repeat(60_000) },
    },
  ]
) {
  Deno.test(`createJoinTokenIssuer() leaves the token as it was where ${name}`, () => {
    const params = { room: ROOM, identity: IDENTITY, canPublish: true };
    const token = createIssuer(options)({ ...params, ...(member && { member }) });
    assertEquals(token, createIssuer()(params));
  });
}
