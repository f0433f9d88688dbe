/** Reads what a homeserver says of a delayed event (MSC4140), whatever the age of its form. */

import type { Fields } from "../matrix/fields.ts";
import { isRoomId } from "../matrix/room_id.ts";
import type { DelayedEvent } from "./delayed_event_lookup.ts";

/** Whose event was asked for, and which. */
export interface AskedEvent {
  readonly delayId: string;
  readonly userId: string;
}

const LONGEST_MS = 24 * 3_600_000;

/**
 * Reads it, and does not take the homeserver's word for more than it says: an
 * answer that names another event or another user is not the one asked for.
 *
 * @returns The event while it is scheduled; `undefined` if it is over or evidently
 * another user's; otherwise what is wrong with the answer, for people.
 */
export function readScheduledEvent(
  fields: Fields,
  asked: AskedEvent,
): DelayedEvent | undefined | string {
  const { delay_id: delayId, room_id: roomId } = fields;
  if (isPresent(delayId) && delayId !== asked.delayId) return "another event than was asked for";
  if (isOver(fields) || isOfAnotherUser(fields, asked.userId)) return undefined;
  if (typeof roomId !== "string" || !isRoomId(roomId)) return "no room_id";
  const delayMs = [fields.delay_ms, fields.delay].find(isDelay);
  if (delayMs === undefined) return "no delay_ms";
  return { roomId, delayMs: Math.min(delayMs, LONGEST_MS) };
}

/**
 * Says whether a state key is another user's: it has an ID of one, and not this
 * user's, alone or at its beginning, before which there may be an underscore and
 * after which there must be one.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { namesAnotherUser } from "./scheduled_event.ts";
 *
 * assertEquals(namesAnotherUser("_@alice:example.org_DEVICE", "@alice:example.org"), false);
 * assertEquals(namesAnotherUser("@alice:example.org.evil", "@alice:example.org"), true);
 * assertEquals(namesAnotherUser("anything else", "@alice:example.org"), false);
 * ```
 */
export function namesAnotherUser(stateKey: string, userId: string): boolean {
  const name = stateKey.startsWith("_") ? stateKey.slice(1) : stateKey;
  if (!/^@[^:]+:[^_]/s.test(name)) return false;
  // No server name has an underscore, so that where one follows, the ID before it is whole.
  return name !== userId && !name.startsWith(`${userId}_`);
}

/** The merged text has an object `finalised`; before, its fields lay flat beside the others. */
function isOver({ finalised, finalised_ts, outcome, event_id }: Fields): boolean {
  return [finalised, finalised_ts, outcome, event_id].some(isPresent);
}

function isOfAnotherUser({ sender, user_id, state_key }: Fields, userId: string): boolean {
  if ([sender, user_id].some((name) => isPresent(name) && name !== userId)) return true;
  return typeof state_key === "string" && namesAnotherUser(state_key, userId);
}

function isDelay(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0;
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false;
}
