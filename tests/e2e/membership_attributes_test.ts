import "./support/quiet_rtc.ts";
import { assert, assertEquals } from "@std/assert";
import { DisconnectReason, Room, RoomEvent } from "@livekit/rtc-node";
import { createAddressPolicy } from "../../lib/net/address_policy.ts";
import { createConnect } from "../../lib/net/connect.ts";
import { lookupAddresses } from "../../lib/net/dial.ts";
import { targetOfUrl } from "../../lib/net/target.ts";
import { installTlsTrust } from "../../lib/net/tls_trust.ts";
import { createUndiciClient } from "../../lib/net/undici_client.ts";
import { Secret } from "../../lib/secret.ts";
import { createParticipants, type Participants } from "../../lib/sfu/participants.ts";
import { createRemoveParticipant } from "../../lib/sfu/remove_participant.ts";
import { createRooms } from "../../lib/sfu/rooms.ts";
import type { SfuEvent } from "../../lib/sfu/sfu_event.ts";
import { createTwirp } from "../../lib/sfu/twirp.ts";
import { createWebhookReader } from "../../lib/sfu/webhook.ts";
import { createSigner } from "../../lib/signing/hs256.ts";
import { createJoinTokenIssuer } from "../../lib/signing/join_token.ts";
import {
  type CallMember,
  createMemberSeal,
  MEMBER_ATTRIBUTE,
} from "../../lib/signing/member_seal.ts";
import { hashedIdentity, type LiveKitIdentity, liveKitRoom } from "../../lib/signing/names.ts";
import { createServiceTokens } from "../../lib/signing/service_token.ts";
import { createSystemClock } from "../../lib/system_clock.ts";
import { startLiveKit } from "./support/livekit.ts";
import { createWaitable } from "./support/waitable.ts";

// What a real LiveKit does with the attribute by which participants are known again: everything
// that watching over membership takes for granted.

const TIMEOUT_MS = 20_000;
const ROOM = liveKitRoom("!room:example.org", "m.call#ROOM");

function memberCalled(name: string): CallMember {
  return { userId: `@${name}:example.org`, roomId: "!room:example.org", way: "homeserver" };
}

/** A LiveKit whose webhooks arrive here, and the service's own ways to it. */
async function startCall(canUpdateOwnMetadata = false) {
  const clock = createSystemClock();
  const events: SfuEvent[] = [];
  const waitable = createWaitable();
  const { promise: keyKnown, resolve: setReader } = Promise.withResolvers<
    ReturnType<typeof createWebhookReader>
  >();
  const webhooks = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const read = (await keyKnown)(request.headers.get("authorization") ?? "");
      const event = read?.(await request.bytes());
      if (event !== undefined) events.push(event);
      waitable.notify();
      return new Response();
    },
  );
  const liveKit = await startLiveKit({
    webhookUrls: [`http://127.0.0.1:${webhooks.addr.port}/`],
  });
  const secret = new Secret(liveKit.apiSecret);
  setReader(createWebhookReader([{ key: liveKit.apiKey, secret }], clock));
  const sign = createSigner(secret);
  const client = createUndiciClient({
    clock,
    connect: createConnect({
      clock,
      lookup: lookupAddresses,
      policy: createAddressPolicy([]),
      trust: installTlsTrust([], []),
      proxy: { except: [] },
      insecureSkipVerifyTls: false,
    }),
  });
  const twirp = createTwirp({
    client,
    ...targetOfUrl(liveKit.httpUrl, 4),
    serviceToken: createServiceTokens({ apiKey: liveKit.apiKey, sign, clock }),
  });
  const seal = createMemberSeal([secret]);
  const issue = createJoinTokenIssuer({
    apiKey: liveKit.apiKey,
    sign,
    ttlSeconds: 60,
    canUpdateOwnMetadata,
    seal,
    clock,
  });
  await createRooms(twirp, clock).ensure(ROOM);
  const joined: Room[] = [];
  return {
    seal,
    participants: createParticipants(twirp),
    remove: createRemoveParticipant(twirp),
    /** Joins with a token that the service would make. */
    async join(member: CallMember, identity: LiveKitIdentity) {
      const room = new Room();
      const { promise: disconnected, resolve } = Promise.withResolvers<DisconnectReason>();
      room.on(RoomEvent.Disconnected, resolve);
      const token = issue({ room: ROOM, identity, canPublish: true, member });
      await room.connect(liveKit.url, token, { autoSubscribe: true, dynacast: false });
      joined.push(room);
      return { room, disconnected };
    },
    heard: (event: string, identity: string) =>
      waitable.until(
        () =>
          events.find((each) => each.event === event && each.participant?.identity === identity),
        TIMEOUT_MS,
        () => `no ${event} of ${identity}, but ${JSON.stringify(events.map(({ event }) => event))}`,
      ),
    async [Symbol.asyncDispose]() {
      for (const room of joined) await room.disconnect();
      await client.close();
      await liveKit[Symbol.asyncDispose]();
      await webhooks.shutdown();
    },
  };
}

async function attributeOf(participants: Participants, identity: string) {
  const found = (await participants.list(ROOM)).find((each) => each.identity === identity);
  assert(found !== undefined, "nobody there");
  return found.attributes?.[MEMBER_ATTRIBUTE];
}

Deno.test("LiveKit tells of the attribute in lists, by name and in webhooks", async () => {
  await using call = await startCall();
  for (const name of ["alice", "zoë-日本"]) {
    const member = memberCalled(name);
    const identity = hashedIdentity(member.userId, "member");
    await call.join(member, identity);
    const { participant } = await call.heard("participant_joined", identity);
    const found = await call.participants.find(ROOM, identity);
    for (
      const text of [
        participant?.attributes?.[MEMBER_ATTRIBUTE],
        found?.attributes?.[MEMBER_ATTRIBUTE],
        await attributeOf(call.participants, identity),
      ]
    ) assertEquals(call.seal.open(text ?? "", ROOM, identity), member);
  }
  // Whoever is in the call sees the attribute of the others, which is why it is sealed.
  const bob = memberCalled("bob");
  const { room } = await call.join(bob, hashedIdentity(bob.userId, "member"));
  const seen = [...room.remoteParticipants.values()].map(({ attributes }) => attributes);
  assertEquals(seen.length, 2);
  for (const attributes of seen) {
    assertEquals(Object.keys(attributes), [MEMBER_ATTRIBUTE]);
    assertEquals(
      /alice|room/.test(atob(attributes[MEMBER_ATTRIBUTE]!.replace(/[-_]/g, "A"))),
      false,
    );
  }
});

for (const canUpdateOwnMetadata of [false, true]) {
  const lets = canUpdateOwnMetadata ? "lets a participant" : "does not let a participant";
  Deno.test(`LiveKit ${lets} change the attribute, as the token says`, async () => {
    await using call = await startCall(canUpdateOwnMetadata);
    const alice = memberCalled("alice");
    const identity = hashedIdentity(alice.userId, "member");
    const { room } = await call.join(alice, identity);
    await call.heard("participant_joined", identity);
    // Resolves once the SFU has answered, be it with a refusal.
    await room.localParticipant!.setAttributes({ [MEMBER_ATTRIBUTE]: "changed" });
    const text = await attributeOf(call.participants, identity) ?? "";
    const known = canUpdateOwnMetadata ? undefined : alice;
    assertEquals([text === "changed", call.seal.open(text, ROOM, identity)], [
      canUpdateOwnMetadata,
      known,
    ]);
  });
}

Deno.test("RemoveParticipant ends a participant's connection, and once is enough", async () => {
  await using call = await startCall();
  const alice = memberCalled("alice");
  const identity = hashedIdentity(alice.userId, "member");
  const { disconnected } = await call.join(alice, identity);
  await call.heard("participant_joined", identity);
  await call.remove(ROOM, identity);
  assertEquals(await disconnected, DisconnectReason.PARTICIPANT_REMOVED);
  const left = await call.heard("participant_left", identity);
  assertEquals(left.disconnectReason, "PARTICIPANT_REMOVED");
  assertEquals(await call.participants.find(ROOM, identity), undefined);
  await call.remove(ROOM, identity);
  // The token is good until it expires: that is what looking at those who come is for.
  await call.join(alice, identity);
  const text = await attributeOf(call.participants, identity);
  assertEquals(call.seal.open(text ?? "", ROOM, identity), alice);
});
