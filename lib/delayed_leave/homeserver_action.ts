/** What jobs ask of homeservers. */

import type { Job } from "./job.ts";
import type { Act } from "./store.ts";

/** How an action ended. */
export type ActionResult =
  /** The homeserver has done it, or had already. */
  | "done"
  /** The homeserver does not know the event: sent, cancelled, or never there. */
  | "gone"
  /** The homeserver will not, however often it is asked: 401, 403, 409. */
  | "refused"
  /** No answer that counts before the deadline. */
  | "timed-out"
  /** The same, because it could not be found out where the client API is. */
  | "unresolved"
  /** Nobody wants it any more. */
  | "cancelled";

/** One action to be done. */
export interface HomeserverAction {
  readonly job: Job;
  readonly act: Act;
  /** When trying ends; milliseconds of the monotonic clock. */
  readonly deadline: number;
  /** Asked before each attempt; `false` ends the action. */
  readonly isWanted: () => boolean;
}

/** Performs actions, several attempts each if need be. */
export type PerformAction = (action: HomeserverAction) => Promise<ActionResult>;
