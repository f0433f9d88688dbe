/** What replicas tell one another. Messages are hints: nothing is lost with one, nor done on its word. */

import type { ParticipantEvent } from "../participant_event.ts";

/** A message to all replicas; `from` is the sender, who hears it too. */
export type ReplicaMessage =
  /** A replica has come, or gone and left its jobs to the others. */
  | { readonly kind: "came" | "gone"; readonly from: string }
  /** Who is there? */
  | { readonly kind: "who"; readonly from: string }
  /** The answer to that. */
  | { readonly kind: "here"; readonly from: string; readonly to: string }
  /** Jobs that the sender has put in place of another's. */
  | {
    readonly kind: "lost";
    readonly from: string;
    readonly to: string;
    /** As they stand in the hash of jobs. */
    readonly fields: readonly string[];
  }
  /** What the SFU told the sender. */
  | { readonly kind: "event"; readonly from: string; readonly event: ParticipantEvent };

/** Above what the longest message has: a thousand fields of two names, escaped. */
const MAX_MESSAGE_LENGTH = 4 * 1024 * 1024;
/** Names longer than this are no job's. */
const MAX_NAME_LENGTH = 1024;
const EVENT_KINDS: readonly unknown[] = ["joined", "left", "aborted"];

/**
 * Reads a message.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseReplicaMessage } from "./replica_message.ts";
 *
 * assertEquals(parseReplicaMessage('{"kind":"came","from":"a"}'), { kind: "came", from: "a" });
 * assertEquals(parseReplicaMessage('{"kind":"sing","from":"a"}'), undefined);
 * ```
 *
 * @returns `undefined` for what no replica of this version sends.
 */
export function parseReplicaMessage(text: string): ReplicaMessage | undefined {
  if (text.length > MAX_MESSAGE_LENGTH) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value) || !isName(value.from)) return undefined;
  const { kind, from, to, fields, event } = value;
  switch (kind) {
    case "came":
    case "gone":
    case "who":
      return { kind, from };
    case "here":
      return isName(to) ? { kind, from, to } : undefined;
    case "lost":
      if (!isName(to) || !Array.isArray(fields)) return undefined;
      return { kind, from, to, fields: fields.filter((field) => typeof field === "string") };
    case "event": {
      const read = readEvent(event);
      return read && { kind, from, event: read };
    }
    default:
      return undefined;
  }
}

function readEvent(value: unknown): ParticipantEvent | undefined {
  if (!isObject(value) || !EVENT_KINDS.includes(value.kind)) return undefined;
  const { kind, room, identity, sid, reason } = value;
  if (!isName(room) || !isName(identity) || !isName(reason)) return undefined;
  return {
    kind: kind as ParticipantEvent["kind"],
    room,
    identity,
    reason,
    ...(isName(sid) && { sid }),
  };
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_NAME_LENGTH;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
