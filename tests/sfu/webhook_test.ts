import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { Secret } from "../../lib/secret.ts";
import { createWebhookReader } from "../../lib/sfu/webhook.ts";
import { createSigner } from "../../lib/signing/hs256.ts";

const SECRET = "a-secret-of-thirty-two-characters!";
const PAIR = { key: "devkey", secret: new Secret(SECRET) };
const EVENT = {
  event: "room_finished",
  room: { sid: "RM_1", name: "call", creationTime: "1700000000" },
  id: "EV_1",
  createdAt: "1700000000",
};

/** Signs a body as LiveKit does; the claims may be changed. */
function sign(body: string, claims: Record<string, unknown> = {}, secret = SECRET): string {
  const now = Math.floor(Date.now() / 1000);
  return createSigner(new Secret(secret))({
    iss: "devkey",
    nbf: now,
    exp: now + 300,
    sha256: createHash("sha256").update(body).digest("base64"),
    ...claims,
  });
}

const read = createWebhookReader([PAIR]);
const BODY = JSON.stringify(EVENT);

const AUTHENTIC: { name: string; event: Record<string, unknown>; room: string | undefined }[] = [
  { name: "a room's end", event: EVENT, room: "call" },
  { name: "an event without a room", event: { event: "egress_started" }, room: undefined },
  { name: "fields of a later LiveKit", event: { ...EVENT, later: { a: 1 } }, room: "call" },
  {
    name: "a reason of a later LiveKit",
    event: { ...EVENT, participant: { sid: "PA_1", disconnectReason: "LATER_REASON" } },
    room: "call",
  },
  {
    name: "a reason as a number",
    event: { ...EVENT, participant: { sid: "PA_1", disconnectReason: 99 } },
    room: "call",
  },
  { name: "an event of a later LiveKit", event: { ...EVENT, event: "later" }, room: "call" },
  {
    name: "a room's name that is not ASCII",
    event: { ...EVENT, room: { name: "é😀" } },
    room: "é😀",
  },
];

for (const { name, event, room } of AUTHENTIC) {
  Deno.test(`createWebhookReader() reads ${name}`, async () => {
    const body = JSON.stringify(event);
    assertEquals(await read(body, sign(body)), { event: event.event, room });
  });
}

const now = Math.floor(Date.now() / 1000);
const FORGED: { name: string; body?: string; authorization: string }[] = [
  { name: "no signature", authorization: "" },
  { name: "no token", authorization: "nonsense" },
  { name: "a bearer token", authorization: `Bearer ${sign(BODY)}` },
  { name: "another secret", authorization: sign(BODY, {}, `${SECRET}x`) },
  { name: "another key's name", authorization: sign(BODY, { iss: "other" }) },
  { name: "another body", body: `${BODY} `, authorization: sign(BODY) },
  { name: "no hash", authorization: sign(BODY, { sha256: undefined }) },
  { name: "an end long ago", authorization: sign(BODY, { nbf: now - 900, exp: now - 600 }) },
  { name: "a beginning to come", authorization: sign(BODY, { nbf: now + 600, exp: now + 900 }) },
  {
    name: "no signature but a header that says so",
    authorization: `${btoa('{"alg":"none"}').replaceAll("=", "")}.${sign(BODY).split(".")[1]}.`,
  },
];

for (const { name, body = BODY, authorization } of FORGED) {
  Deno.test(`createWebhookReader() refuses ${name}`, async () => {
    assertEquals(await read(body, authorization), undefined);
  });
}

Deno.test("createWebhookReader() takes both keys while they are rotated", async () => {
  const both = createWebhookReader([{ key: "newkey", secret: new Secret("n".repeat(32)) }, PAIR]);
  assertEquals((await both(BODY, sign(BODY)))?.room, "call");
  const newer = sign(BODY, { iss: "newkey" }, "n".repeat(32));
  assertEquals((await both(BODY, newer))?.room, "call");
  assertEquals(await both(BODY, sign(BODY, { iss: "newkey" })), undefined);
});
