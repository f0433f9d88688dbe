/** What jobs ask of the SFU, and what they tell whoever watches it. */

import type { LiveKitIdentity, LiveKitRoom } from "../signing/names.ts";
import type { Job } from "./job.ts";

/** An answer about one participant. */
export type Sighting =
  | { readonly kind: "present"; readonly sid: string; readonly identity: string }
  /** Not there, and it counts: the SFU works, and participants have had time to come back. */
  | { readonly kind: "absent" }
  /**
   * The SFU cannot be asked, or has just come back and participants may still be
   * on their way. `everAnswered`: whether it has answered at all since the start.
   */
  | { readonly kind: "unknown"; readonly everAnswered: boolean };

/** A job as those who watch the SFU see it. */
export interface WatchedJob {
  readonly job: Job;
  /** When the participant was last known to be there; milliseconds of the monotonic clock. */
  readonly seenAt: number;
  /** The participant is there. */
  onPresent(sid: string): void;
  /** The participant is not there, and it counts. The job confirms it before it acts. */
  onAbsent(): void;
}

/** The jobs whose participants have been seen, by room. */
export interface WatchedJobs {
  rooms(): Iterable<LiveKitRoom>;
  inRoom(room: LiveKitRoom): Iterable<WatchedJob>;
}

/** The SFU as jobs see it. */
export interface SfuView {
  /**
   * Looks for a participant under any of the identities. Those who look into one
   * room at the same time share a call.
   */
  look(room: LiveKitRoom, identities: readonly LiveKitIdentity[]): Promise<Sighting>;
}
