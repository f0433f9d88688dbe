/** How somebody from outside may watch over delayed leaves, to count them. */

import type { PerformAction } from "./homeserver_action.ts";

/** Jobs by what they do: await the participant, look after the event, or have it sent. */
export interface LeaveCounts {
  readonly waiting: number;
  readonly connected: number;
  readonly sending: number;
}

/** Somebody who does. */
export interface LeaveWatcher {
  /** Makes what performs actions and tells the watcher. */
  watchActions(perform: PerformAction): PerformAction;
  /** @param count Counts the jobs, each time it is called: milliseconds for very many. */
  countWith(count: () => LeaveCounts): void;
}
