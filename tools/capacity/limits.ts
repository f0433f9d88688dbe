/** How many participants a homeserver with limits bears. */

import { workOut } from "./formula.ts";
import { type CallLimit, type Scenario, USUAL } from "./scenario.ts";
import { simulate } from "./simulate.ts";

/** What a homeserver that limits bears. */
export interface Borne {
  readonly delaySeconds: number;
  readonly limit: CallLimit;
  /** As many as would need all that the homeserver allows. */
  readonly inTheory: number;
  /** As many as stayed without one event lost. */
  readonly participants: number;
  /** The last of all leaves was sent so long after its user had gone, 21 s for noticing included. */
  readonly longestLeaveSeconds: number;
}

/** Parts of what is possible in theory, tried one after the other. */
const PARTS = [2, 1.8, 1.6, 1.5, 1.4, 1.3, 1.2, 1.1, 1, 0.9, 0.8, 0.7, 0.6, 0.5];
const DELAYS = 3;
const MIN_SECONDS = 1_800;

/**
 * Finds the largest number of participants of whom none is lost: for three
 * delays, half an hour at least, with people coming and going.
 *
 * @param upTo How many are simulated at most.
 */
export async function findBorne(
  delaySeconds: number,
  limit: CallLimit,
  upTo: number,
): Promise<Borne> {
  const scenario: Scenario = { ...USUAL, delaySeconds, limit, intervalSeconds: 0 };
  const { restarts, sends } = workOut({ ...scenario, participants: 1 });
  const inTheory = Math.floor(limit.perSecond / (restarts + sends));
  const duration = { seconds: Math.max(delaySeconds * DELAYS, MIN_SECONDS), joins: 0 };
  for (const part of PARTS) {
    const participants = Math.floor(inTheory * part);
    if (participants > upTo) continue;
    if (participants === 0) break;
    const { lost, longestLeaveSeconds } = await simulate({ ...scenario, participants }, duration);
    if (lost === 0) return { delaySeconds, limit, inTheory, participants, longestLeaveSeconds };
  }
  return { delaySeconds, limit, inTheory, participants: 0, longestLeaveSeconds: NaN };
}
