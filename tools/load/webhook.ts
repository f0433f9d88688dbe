import { Buffer } from "node:buffer";
import { createHash, createHmac } from "node:crypto";

/** Something that LiveKit tells of a participant. */
export interface Webhook {
  event: "participant_joined" | "participant_left";
  room: string;
  identity: string;
  sid: string;
}

/** LiveKit's API key and secret. */
export interface WebhookKey {
  key: string;
  secret: string;
}

/** Attempts after the first, as LiveKit makes them. */
const RETRY_WAITS_MS = [1000, 2000, 4000, 8000];
const HEADER = encode({ alg: "HS256", typ: "JWT" });
const LIFETIME_S = 300;

/**
 * Writes a webhook as LiveKit sends it, head and body. Whoever leaves has hung up by themselves
 * (`CLIENT_INITIATED`).
 *
 * @param webhook What to tell.
 * @param key What to sign it with.
 * @param nowMs Milliseconds since the Unix epoch.
 * @returns A finished request for `/sfu_webhook`.
 */
export function writeWebhook(webhook: Webhook, key: WebhookKey, nowMs: number): Uint8Array {
  const { event, room, identity, sid } = webhook;
  const now = Math.floor(nowMs / 1000);
  const left = event === "participant_left";
  const body = JSON.stringify({
    event,
    room: { sid: "RM_000000000000", name: room, emptyTimeout: 300, creationTime: String(now) },
    participant: {
      sid,
      identity,
      state: left ? "DISCONNECTED" : "ACTIVE",
      joinedAt: String(now),
      version: 3,
      ...(left && { disconnectReason: "CLIENT_INITIATED" }),
    },
    id: `EV_${sid}${left ? "L" : "J"}`,
    createdAt: String(now),
  });
  const sha256 = createHash("sha256").update(body).digest("base64");
  const claims = { iss: key.key, nbf: now, exp: now + LIFETIME_S, sha256 };
  const signed = `${HEADER}.${encode(claims)}`;
  const signature = createHmac("sha256", key.secret).update(signed).digest("base64url");
  return new TextEncoder().encode(
    "POST /sfu_webhook HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Go-http-client/1.1\r\n" +
      "Content-Type: application/webhook+json\r\n" +
      `Authorization: ${signed}.${signature}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `\r\n${body}`,
  );
}

/**
 * Delivers a webhook, again after a while if the service is not up to it, a few times.
 *
 * @param attempt Sends it; resolves with the status of the answer.
 * @param sleep Waits for so many milliseconds.
 * @returns Whether it was taken.
 */
export async function deliverWebhook(
  attempt: () => Promise<number>,
  sleep: (ms: number) => Promise<void>,
): Promise<boolean> {
  for (const wait of [0, ...RETRY_WAITS_MS]) {
    if (wait > 0) await sleep(wait);
    try {
      if (await attempt() < 500) return true;
    } catch {
      // A connection that broke: LiveKit tries again, too.
    }
  }
  return false;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
