/** How many calls there are a second, worked out rather than simulated. */

import { restartAfterMs } from "../../lib/delayed_leave/restart_schedule.ts";
import type { Scenario } from "./scenario.ts";

/** Calls and writes a second, of all replicas together. */
export interface Rates {
  /** To the homeserver. */
  readonly restarts: number;
  readonly sends: number;
  /** To the SFU: whether it lives, whether rooms are as they should be, where somebody is. */
  readonly listRooms: number;
  readonly listParticipants: number;
  readonly getParticipant: number;
  /** Records that the store is given: new, changed, removed. */
  readonly storeChanges: number;
}

/** Looks for somebody who joins about a second after the hand-over, before he is there. */
const LOOKS_BEFORE = 1.5;
/** Looks for somebody who may be gone. */
const LOOKS_AFTER = 2;
/** How much less the service polls while webhooks arrive, and for how many intervals after one. */
const SLOWER = 3;
const REMEMBER_INTERVALS = 10;
/** Between two looks whether the SFU lives: at least, and at most. */
const SPACING_SECONDS = 0.1;
const HEARTBEAT_SECONDS = 2;

/** Seconds from one restart of an event to the next, on average. */
export function restartPeriodSeconds(delaySeconds: number): number {
  return restartAfterMs(delaySeconds * 1_000, () => 0.5) / 1_000;
}

/**
 * Works out what a simulation counts.
 *
 * @example An hour's delay, half an hour's calls
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { workOut } from "./formula.ts";
 * import { USUAL } from "./scenario.ts";
 *
 * const { restarts, sends } = workOut({ ...USUAL, participants: 1_800 });
 * assertEquals([restarts.toFixed(2), sends.toFixed(2)], ["1.26", "1.00"]);
 * ```
 */
export function workOut(scenario: Scenario): Rates {
  const { participants, vanishing, hasWebhooks, replicas } = scenario;
  const joins = participants / (scenario.callMinutes * 60);
  const restarts = restartsOf(scenario);
  const doubted = hasWebhooks ? vanishing : 1;
  const absences = joins * (LOOKS_BEFORE + LOOKS_AFTER * doubted);
  return {
    restarts,
    sends: joins,
    listRooms: replicas * heartbeatsOf(absences / replicas),
    listParticipants: pollsOf(scenario, joins),
    // Without webhooks one look more finds who has come.
    getParticipant: absences + (hasWebhooks ? 0 : joins),
    // Handed over, come, gone; and each restart.
    storeChanges: restarts + joins * 3,
  };
}

/** One restart when somebody has come, and another one after each period that he is still there. */
function restartsOf({ participants, callMinutes, delaySeconds, homeserverMs }: Scenario): number {
  const call = callMinutes * 60;
  const period = restartPeriodSeconds(delaySeconds) + homeserverMs / 1_000;
  return participants / call / (1 - Math.exp(-period / call));
}

/** One in two seconds, and one for each absence that may count, but ten a second at most. */
function heartbeatsOf(absences: number): number {
  if (absences === 0) return 1 / HEARTBEAT_SECONDS;
  const beyond = Math.exp(-absences * SPACING_SECONDS) - Math.exp(-absences * HEARTBEAT_SECONDS);
  return 1 / (SPACING_SECONDS + beyond / absences);
}

/** Every replica asks for each room in which it has a job. */
function pollsOf(scenario: Scenario, joins: number): number {
  const { participants, roomSize, replicas, intervalSeconds, hasWebhooks } = scenario;
  if (intervalSeconds === 0) return 0;
  const rooms = replicas * participants / roomSize * (1 - (1 - 1 / replicas) ** roomSize);
  // A replica that hears for long of nobody who leaves, and is followed by the next, polls faster.
  const heard = joins / replicas * REMEMBER_INTERVALS * intervalSeconds;
  const slow = hasWebhooks ? 1 - Math.exp(-heard) : 0;
  return rooms / intervalSeconds * (1 - slow + slow / SLOWER);
}
