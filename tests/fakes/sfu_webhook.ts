import { createHash } from "node:crypto";
import { Secret } from "../../lib/secret.ts";
import { createSigner } from "../../lib/signing/hs256.ts";

/** What a webhook of the fake SFU tells. */
export interface WebhookEvent {
  /** LiveKit's name: `participant_left` … */
  event: string;
  /** The room's name; absent for events that are about none, as egress has them. */
  room?: string;
  participant?: {
    identity: string;
    sid?: string;
    /** LiveKit's name of a DisconnectReason, any text, or a number. */
    disconnectReason?: string | number;
    /** What the join token has attached. */
    attributes?: Readonly<Record<string, string>>;
  };
}

/** What a webhook may have about it that LiveKit's have not. */
export interface WebhookChanges {
  /** The key that it claims to be signed with. */
  key?: string;
  /** The secret that it is signed with. */
  secret?: string;
  /** Reasons and states as numbers, which protobuf's JSON allows. */
  numericEnums?: boolean;
  /** How often it is sent; 1 unless told. */
  times?: number;
  /** Claims of its token in place of, or beside, the right ones. */
  claims?: Record<string, unknown>;
  /** Changes the body after it has been signed. */
  tamper?(body: string): string;
}

/** The numbers of LiveKit's DisconnectReason. */
const REASONS = [
  "UNKNOWN_REASON",
  "CLIENT_INITIATED",
  "DUPLICATE_IDENTITY",
  "SERVER_SHUTDOWN",
  "PARTICIPANT_REMOVED",
  "ROOM_DELETED",
  "STATE_MISMATCH",
  "JOIN_FAILURE",
  "MIGRATION",
  "SIGNAL_CLOSE",
  "ROOM_CLOSED",
  "USER_UNAVAILABLE",
  "USER_REJECTED",
  "SIP_TRUNK_FAILURE",
  "CONNECTION_TIMEOUT",
  "MEDIA_FAILURE",
  "AGENT_ERROR",
];
const DISCONNECTED = 3;
let events = 0;

/**
 * Makes the request with which LiveKit tells of an event: protobuf's JSON in camelCase, a token
 * without scheme, a room with a password in it.
 *
 * @example Its body is the one that was signed
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { WebhookReceiver } from "livekit-server-sdk";
 * import { webhookRequest } from "./sfu_webhook.ts";
 *
 * const pair = { key: "devkey", secret: "a-secret-of-thirty-two-characters!" };
 * const request = webhookRequest("http://service/", { event: "room_started", room: "call" }, pair);
 * const receiver = new WebhookReceiver(pair.key, pair.secret);
 * const event = await receiver.receive(
 *   await request.text(),
 *   request.headers.get("authorization")!,
 * );
 * assertEquals([event.event, event.room?.name], ["room_started", "call"]);
 * ```
 *
 * @param url Where it goes.
 * @param event What it tells.
 * @param options Key and secret, and what is to be wrong about it.
 */
export function webhookRequest(
  url: string,
  event: WebhookEvent,
  options: WebhookChanges & { key: string; secret: string },
): Request {
  const body = JSON.stringify(eventToJson(event, options.numericEnums ?? false));
  const now = Math.floor(Date.now() / 1000);
  const token = createSigner(new Secret(options.secret))({
    iss: options.key,
    nbf: now,
    exp: now + 300,
    sha256: createHash("sha256").update(body).digest("base64"),
    ...options.claims,
  });
  return new Request(url, {
    method: "POST",
    headers: { authorization: token, "content-type": "application/webhook+json" },
    body: options.tamper?.(body) ?? body,
  });
}

// Fields without a value are left out, as LiveKit leaves them out.
function eventToJson({ event, room, participant }: WebhookEvent, numericEnums: boolean) {
  const reason = participant?.disconnectReason;
  const isOver = event === "participant_left" || event === "participant_connection_aborted";
  const number = REASONS.indexOf(String(reason));
  return {
    event,
    ...(room !== undefined && {
      room: {
        sid: "RM_fake",
        name: room,
        emptyTimeout: 300,
        departureTimeout: 20,
        creationTime: "1700000000",
        creationTimeMs: "1700000000000",
        turnPassword: "turn-password-of-the-fake",
        enabledCodecs: [{ mime: "audio/opus" }, { mime: "video/VP8" }],
      },
    }),
    ...(participant && {
      participant: {
        ...(participant.sid !== undefined && { sid: participant.sid }),
        identity: participant.identity,
        state: isOver ? (numericEnums ? DISCONNECTED : "DISCONNECTED") : "ACTIVE",
        joinedAt: "1700000000",
        permission: { canSubscribe: true, canPublish: true, canPublishData: true },
        ...(participant.attributes && { attributes: participant.attributes }),
        ...(reason !== undefined && reason !== "UNKNOWN_REASON" && {
          disconnectReason: numericEnums && number !== -1 ? number : reason,
        }),
      },
    }),
    id: `EV_fake${events++}`,
    createdAt: "1700000000",
  };
}
