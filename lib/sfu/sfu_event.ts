import { parseAttributes } from "./attributes.ts";

/** What is needed of LiveKit's `WebhookEvent`. */
export interface SfuEvent {
  /** LiveKit's name: `room_finished`, `participant_left` … Empty when it has none. */
  readonly event: string;
  /** The LiveKit room, where the event is about one. Egress and ingress have events that are not. */
  readonly room: string | undefined;
  /** Where the event is about one. */
  readonly participant?: {
    readonly identity: string;
    /** LiveKit's ID of this very connection. */
    readonly sid?: string;
    /** What the join token or the participant has attached; absent where there is nothing. */
    readonly attributes?: Readonly<Record<string, string>>;
  };
  /** LiveKit's name of a DisconnectReason; `UNKNOWN_REASON` unless told. */
  readonly disconnectReason: string;
  /** When it happened by LiveKit's clock, in whole seconds since the Unix epoch, if it tells that. */
  readonly createdAt?: number;
}

/** LiveKit's DisconnectReason, by number. */
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
const UNKNOWN_REASON = "UNKNOWN_REASON";
const REASON_NAME = /^[A-Z][A-Z0-9_]{0,63}$/;
const UTF_8 = new TextDecoder();

/**
 * Reads LiveKit's JSON: protobuf's, so fields without a value are left out, and
 * enums are names or numbers. Fields and names of a later LiveKit do no harm.
 *
 * @example A participant who hung up
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseSfuEvent } from "./sfu_event.ts";
 *
 * const body = new TextEncoder().encode(JSON.stringify({
 *   event: "participant_left",
 *   room: { name: "call" },
 *   participant: { sid: "PA_1", identity: "alice", disconnectReason: 1 },
 * }));
 * assertEquals(parseSfuEvent(body), {
 *   event: "participant_left",
 *   room: "call",
 *   participant: { identity: "alice", sid: "PA_1" },
 *   disconnectReason: "CLIENT_INITIATED",
 * });
 * ```
 *
 * @param body Any bytes. What is no event becomes one without a name, of which nobody takes notice.
 */
export function parseSfuEvent(body: Uint8Array): SfuEvent {
  const { event, room, participant, createdAt, created_at } = asObject(parseJson(body));
  const { identity, sid, attributes, disconnectReason, disconnect_reason } = asObject(participant);
  return {
    event: asText(event) ?? "",
    room: asText(asObject(room).name),
    ...(asText(identity) === undefined ? {} : {
      participant: {
        identity: identity as string,
        ...(asText(sid) === undefined ? {} : { sid: sid as string }),
        ...parseAttributes(attributes),
      },
    }),
    disconnectReason: reasonOf(disconnectReason ?? disconnect_reason),
    ...timeOf(createdAt ?? created_at),
  };
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(UTF_8.decode(body));
  } catch {
    return undefined;
  }
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}

// Protobuf's empty text is no text: nobody is called by it.
function asText(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

// Protobuf's JSON has large integers as text, and none for 0.
function timeOf(value: unknown): { createdAt?: number } {
  const seconds = typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value;
  return typeof seconds === "number" && seconds > 0 ? { createdAt: seconds } : {};
}

function reasonOf(value: unknown): string {
  if (typeof value === "number") return REASONS[value] ?? UNKNOWN_REASON;
  return typeof value === "string" && REASON_NAME.test(value) ? value : UNKNOWN_REASON;
}
