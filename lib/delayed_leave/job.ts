/** What the service has taken over for one participant. */

import type { Secret } from "../secret.ts";
import type { LiveKitIdentity, LiveKitRoom } from "../signing/names.ts";

/** The longest identity of a job, in UTF-16 units; a user ID has 255 at most. */
export const MAX_IDENTITY_LENGTH = 1024;

/** A delayed leave event in the service's care. There is one at most per room and identity. */
export interface Job {
  readonly room: LiveKitRoom;
  readonly identity: LiveKitIdentity;
  /** Another identity that the same user may have joined with. */
  readonly otherIdentity?: LiveKitIdentity;
  readonly delayId: Secret;
  /** Milliseconds, 1 to 86 400 000. */
  readonly delayTimeoutMs: number;
  /** The server that vouched for the user, and that keeps the event. */
  readonly serverName: string;
  /** Absent for jobs that another program has left behind. */
  readonly userId?: string;
  /**
   * Whether the homeserver itself has passed the hand-over on: then it is asked in the user's name,
   * as an application service, and the event is kept alive while the participant is awaited.
   */
  readonly isThroughHomeserver?: true;
}

/** A job as a store keeps it. */
export interface StoredJob {
  readonly job: Job;
  /** When the event was handed over or restarted last; milliseconds since the Unix epoch. */
  readonly restartedAt: number;
  /** Whether the participant has been seen on the SFU. */
  readonly wasConnected: boolean;
}

/** What tells jobs apart. */
export type JobKey = string & { readonly brand: "JobKey" };

/**
 * Makes the key of a participant's job.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { liveKitRoom, legacyIdentity } from "../signing/names.ts";
 * import { jobKey } from "./job.ts";
 *
 * const room = liveKitRoom("!roomid:example.com", "slot1234");
 * assertEquals(
 *   jobKey(room, legacyIdentity("@alice:example.com", "DEVICE")),
 *   '["O8437W3+jmzMVjoIP3tNwbm+XxHQk2iKpOA7aqw3qSc","@alice:example.com:DEVICE"]',
 * );
 * ```
 *
 * @returns A compact JSON array; it is also the field of lk-jwt-service's Redis hash.
 */
export function jobKey(room: string, identity: string): JobKey {
  return JSON.stringify([room, identity]) as JobKey;
}
