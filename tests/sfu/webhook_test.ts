import { assertEquals } from "@std/assert";
import { createHash, createHmac } from "node:crypto";
import fc from "fast-check";
import { ParticipantInfo, WebhookReceiver } from "livekit-server-sdk";
import { Secret } from "../../lib/secret.ts";
import type { SfuEvent } from "../../lib/sfu/sfu_event.ts";
import { createWebhookReader, type WebhookReader } from "../../lib/sfu/webhook.ts";
import { createSigner } from "../../lib/signing/hs256.ts";
import { createManualClock } from "../support/manual_clock.ts";

const SECRET = "a-secret-of-thirty-two-characters!";
const PAIR = { key: "devkey", secret: new Secret(SECRET) };
const NOW = Math.floor(Date.now() / 1000);
const clock = createManualClock(NOW * 1000);
const EVENT = {
  event: "participant_left",
  room: { sid: "RM_1", name: "call", creationTime: "1700000000", turnPassword: "turn-password" },
  participant: { sid: "PA_1", identity: "alice", disconnectReason: "CLIENT_INITIATED" },
  id: "EV_1",
  createdAt: "1700000000",
};
const READ: SfuEvent = {
  event: "participant_left",
  room: "call",
  participant: { identity: "alice", sid: "PA_1" },
  disconnectReason: "CLIENT_INITIATED",
  createdAt: 1_700_000_000,
};

const bytes = (text: string) => new TextEncoder().encode(text);

/** Signs a body as LiveKit does; the claims may be changed. */
function sign(body: string, claims: Record<string, unknown> = {}, secret = SECRET): string {
  return createSigner(new Secret(secret))({
    iss: "devkey",
    nbf: NOW,
    exp: NOW + 300,
    sha256: createHash("sha256").update(body).digest("base64"),
    ...claims,
  });
}

function readWith(reader: WebhookReader, body: string, authorization: string) {
  return reader(authorization)?.(bytes(body));
}

const reader = createWebhookReader([PAIR], clock);
const BODY = JSON.stringify(EVENT);

Deno.test("createWebhookReader() reads an event", () => {
  assertEquals(readWith(reader, BODY, sign(BODY)), READ);
});

Deno.test("createWebhookReader() reads an event whose bytes are signed but no event", () => {
  for (const body of ["", "[]", "null", '"text"', "{", "\u0000"]) {
    const event = readWith(reader, body, sign(body));
    assertEquals(event, { event: "", room: undefined, disconnectReason: "UNKNOWN_REASON" });
  }
});

/** Tokens that are not worth a look at the body. */
const FORGED: { name: string; authorization: string }[] = [
  { name: "no signature", authorization: "" },
  { name: "no token", authorization: "nonsense" },
  { name: "two dots", authorization: ".." },
  { name: "a bearer token", authorization: `Bearer ${sign(BODY)}` },
  { name: "another secret", authorization: sign(BODY, {}, `${SECRET}x`) },
  { name: "another key's name", authorization: sign(BODY, { iss: "other" }) },
  { name: "no hash, as in participants' tokens", authorization: sign(BODY, { sha256: undefined }) },
  { name: "a hash that is no text", authorization: sign(BODY, { sha256: 1 }) },
  { name: "an end long ago", authorization: sign(BODY, { nbf: NOW - 900, exp: NOW - 600 }) },
  { name: "no end", authorization: sign(BODY, { exp: undefined }) },
  { name: "an end that is text", authorization: sign(BODY, { exp: `${NOW + 300}` }) },
  { name: "a beginning to come", authorization: sign(BODY, { nbf: NOW + 600, exp: NOW + 900 }) },
  { name: "a part too many", authorization: `a.${sign(BODY)}` },
  { name: "a signature cut short", authorization: sign(BODY).slice(0, -1) },
  { name: "a signature of one letter more", authorization: `${sign(BODY)}A` },
  {
    name: "no signature but a header that says so",
    authorization: `${btoa('{"alg":"none"}').replaceAll("=", "")}.${sign(BODY).split(".")[1]}.`,
  },
  {
    name: "another algorithm's name over a right signature",
    authorization: signWithHeader({ alg: "HS512", typ: "JWT" }),
  },
  {
    name: "an extension that must be understood",
    authorization: signWithHeader({ alg: "HS256", crit: ["exp"] }),
  },
  { name: "a header that is none", authorization: signWithHeader(null) },
];

function signWithHeader(header: unknown): string {
  const encode = (text: string) => btoa(text).replaceAll("=", "");
  const input = `${encode(JSON.stringify(header))}.${sign(BODY).split(".")[1]}`;
  return `${input}.${createHmac("sha256", SECRET).update(input).digest("base64url")}`;
}

for (const { name, authorization } of FORGED) {
  Deno.test(`createWebhookReader() refuses ${name} before the body`, () => {
    assertEquals(reader(authorization), undefined);
  });
}

Deno.test("createWebhookReader() refuses another body than was signed", () => {
  for (const body of [`${BODY} `, "", BODY.replace("alice", "bob")]) {
    assertEquals(readWith(reader, body, sign(BODY)), undefined);
  }
  const unpadded = createHash("sha256").update(BODY).digest("base64").slice(0, -1);
  assertEquals(readWith(reader, BODY, sign(BODY, { sha256: unpadded })), undefined);
});

Deno.test("createWebhookReader() hashes the bytes as they came, whatever text they make", () => {
  const body = new Uint8Array([...bytes('{"event":"'), 0xff, ...bytes('"}')]);
  const sha256 = createHash("sha256").update(body).digest("base64");
  assertEquals(reader(sign("", { sha256 }))?.(body)?.event, "\ufffd");
  const sameText = bytes(new TextDecoder().decode(body));
  assertEquals(reader(sign("", { sha256 }))?.(sameText), undefined);
});

for (
  const { name, claims, isTaken } of [
    { name: "59 s after its end", claims: { exp: NOW - 59 }, isTaken: true },
    { name: "60 s after its end", claims: { exp: NOW - 60 }, isTaken: false },
    { name: "60 s before its beginning", claims: { nbf: NOW + 60 }, isTaken: true },
    { name: "61 s before its beginning", claims: { nbf: NOW + 61 }, isTaken: false },
    { name: "without a beginning", claims: { nbf: undefined }, isTaken: true },
  ]
) {
  Deno.test(`createWebhookReader() ${isTaken ? "takes" : "refuses"} a token ${name}`, () => {
    assertEquals(reader(sign(BODY, claims)) !== undefined, isTaken);
  });
}

Deno.test("createWebhookReader() takes both keys while they are rotated", () => {
  const newer = { key: "newkey", secret: new Secret("n".repeat(32)) };
  const both = createWebhookReader([newer, PAIR], clock);
  assertEquals(readWith(both, BODY, sign(BODY)), READ);
  const byNewer = sign(BODY, { iss: "newkey" }, "n".repeat(32));
  assertEquals(readWith(both, BODY, byNewer), READ);
  assertEquals(both(sign(BODY, { iss: "newkey" })), undefined);
  const sameName = createWebhookReader([{ ...newer, key: "devkey" }, PAIR], clock);
  assertEquals(readWith(sameName, BODY, sign(BODY)), READ);
});

/** LiveKit's reasons, from the SDK's description of its messages. */
const REASONS = disconnectReasons();

function disconnectReasons(): { no: number; name: string }[] {
  const field = ParticipantInfo.fields.findJsonName("disconnectReason");
  if (field?.kind !== "enum") throw new TypeError("disconnectReason is no enum any more");
  return [...field.T.values];
}

/** What LiveKit's own receiver makes of it; with our leeway. */
async function receive(body: string, authorization: string): Promise<SfuEvent | undefined> {
  try {
    const receiver = new WebhookReceiver(PAIR.key, SECRET);
    const event = await receiver.receive(body, authorization, false, 60);
    return {
      event: event.event,
      room: event.room?.name,
      ...(event.participant && {
        participant: { identity: event.participant.identity, sid: event.participant.sid },
      }),
      disconnectReason: REASONS[event.participant?.disconnectReason ?? 0]!.name,
      ...(event.createdAt > 0n && { createdAt: Number(event.createdAt) }),
    };
  } catch {
    return undefined;
  }
}

Deno.test("createWebhookReader() names every reason as LiveKit's own receiver does", async () => {
  assertEquals(REASONS.map(({ no }) => no), [...REASONS.keys()]);
  for (const reason of REASONS.flatMap(({ no, name }) => [no, name])) {
    const participant = { ...EVENT.participant, disconnectReason: reason };
    const body = JSON.stringify({ ...EVENT, participant });
    const expected = await receive(body, sign(body));
    assertEquals(readWith(reader, body, sign(body)), expected);
    assertEquals(expected?.room, "call");
  }
});

Deno.test("createWebhookReader() agrees with LiveKit's own receiver on tampered webhooks", async () => {
  const token = sign(BODY);
  const edit = (text: string) =>
    fc.record({
      at: fc.nat(text.length),
      remove: fc.integer({ min: 0, max: 3 }),
      insert: fc.string({ unit: "binary-ascii", maxLength: 3 }),
    }).map(({ at, remove, insert }) => text.slice(0, at) + insert + text.slice(at + remove));
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.constant(token), edit(token)),
      fc.oneof(fc.constant(BODY), edit(BODY)),
      async (authorization, body) => {
        const ours = readWith(reader, body, authorization);
        const theirs = await receive(body, authorization);
        // Base64 has more than one spelling of the same bytes. The SDK takes them all, we but one.
        const isSpelling = theirs !== undefined && authorization !== token;
        assertEquals(ours, isSpelling ? undefined : theirs);
      },
    ),
    { numRuns: 300 },
  );
});
