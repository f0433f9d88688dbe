/** Names on the SFU, derived from names of Matrix; clients derive the same ones. */

import { createHash } from "node:crypto";

/** The name of a LiveKit room. */
export type LiveKitRoom = string & { readonly brand: "LiveKitRoom" };

/** The identity of a LiveKit participant. */
export type LiveKitIdentity = string & { readonly brand: "LiveKitIdentity" };

/** The slot of a room's one call. Requests to `/sfu/get` know no other. */
export const ROOM_CALL_SLOT_ID = "m.call#ROOM";

/**
 * Derives the LiveKit room of a slot in a Matrix room.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { liveKitRoom } from "./names.ts";
 *
 * assertEquals(
 *   liveKitRoom("!roomid:example.com", "slot1234"),
 *   "O8437W3+jmzMVjoIP3tNwbm+XxHQk2iKpOA7aqw3qSc",
 * );
 * ```
 *
 * @returns Unpadded standard base64 of SHA-256 over `["<room>","<slot>"]`, MSC4195.
 */
export function liveKitRoom(roomId: string, slotId: string): LiveKitRoom {
  return hashOf([roomId, slotId]) as LiveKitRoom;
}

/**
 * Derives the identity of a member of an RTC session.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { hashedIdentity } from "./names.ts";
 *
 * assertEquals(
 *   hashedIdentity("@alice:example.com", "DEVICE123", "memberABC"),
 *   "J+T45tGruxc+HrUOqJJlyQSV33m728Cme4+vt8/SWrU",
 * );
 * ```
 *
 * @param userId The verified user, never the claimed one.
 * @param parts What MSC4195 hashes after the user ID: the claimed device ID and
 * the member ID on the service's own endpoints, the member ID alone behind a homeserver.
 */
export function hashedIdentity(userId: string, ...parts: readonly string[]): LiveKitIdentity {
  return hashOf([userId, ...parts]) as LiveKitIdentity;
}

/**
 * Derives the identity that `/sfu/get` hands out: readable by every participant,
 * but it is what clients of that generation compute and expect.
 *
 * @param deviceId May be empty; the colon stays.
 */
export function legacyIdentity(userId: string, deviceId: string): LiveKitIdentity {
  return `${userId}:${deviceId}` as LiveKitIdentity;
}

// JSON.stringify of an array of strings is its canonical JSON: no white space, nothing escaped but
// what must be.
function hashOf(parts: readonly string[]): string {
  const padded = createHash("sha256").update(JSON.stringify(parts)).digest("base64");
  return padded.slice(0, -1);
}
