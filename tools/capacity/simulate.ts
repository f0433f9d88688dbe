/** Lives through hours of a scenario with the real parts of the service. */

import { type Rates, restartPeriodSeconds, workOut } from "./formula.ts";
import { Homeserver } from "./homeserver.ts";
import { type Bursts, Meter } from "./meter.ts";
import { createReplica, type Replica } from "./replica.ts";
import type { Scenario } from "./scenario.ts";
import { Sfu } from "./sfu.ts";
import { Users } from "./users.ts";
import { createVirtualClock } from "./virtual_clock.ts";

/** What was counted. */
export interface Simulated {
  readonly rates: Rates;
  /** Goes a second in which the stores are given those records. */
  readonly storeGoes: number;
  /** Calls a second that the homeserver refused for there being too many. */
  readonly limited: number;
  readonly homeserverBursts: Bursts;
  readonly sfuBursts: Bursts;
  /** Participants whose leave the homeserver sent by itself although they were there. */
  readonly lost: number;
  /** Users whose leave the service did not take over. */
  readonly refused: number;
  /** How much of its delay had passed at the restart that came latest. */
  readonly latestRestartPercent: number;
  /** From somebody's leaving to the leave that was sent latest, noticing included. */
  readonly longestLeaveSeconds: number;
  /** For how long was counted. */
  readonly seconds: number;
}

/** How long to count. */
export interface Duration {
  /** Seconds at least. */
  readonly seconds: number;
  /** Joins at least. */
  readonly joins: number;
}

const USUAL_DURATION: Duration = { seconds: 60, joins: 1_000 };
/** Participants take a minute at least to come. */
const ARRIVAL_SECONDS = 60;
/** Periods from the last one's coming until it no longer shows that all have come anew. */
const SETTLING_PERIODS = 2;

/**
 * Simulates a scenario. Participants come evenly, so that all is as it will be
 * for ever when counting begins.
 *
 * @param duration How long to count; losses are counted from the very beginning.
 * @param seed For numbers that are the same in every run.
 */
export async function simulate(
  scenario: Scenario,
  duration: Duration = USUAL_DURATION,
  seed = 1,
): Promise<Simulated> {
  const clock = createVirtualClock();
  const random = createRandom(seed);
  const homeserver = new Homeserver(clock, scenario.homeserverMs, scenario.limit);
  const sfu = new Sfu(clock);
  const writes = new Meter<"changes" | "goes">(clock);
  const replicas: Replica[] = Array.from({ length: scenario.replicas }, (_, self) =>
    createReplica({
      clock,
      random,
      homeserver,
      sfu,
      writes,
      intervalSeconds: scenario.intervalSeconds,
      pass(event) {
        for (const [other, replica] of replicas.entries()) {
          if (other !== self) replica.onPassed(event);
        }
      },
    }));
  for (const replica of replicas) await replica.start();
  const users = new Users({ scenario, clock, random, homeserver, sfu, replicas });

  const { restarts, sends } = workOut(scenario);
  // From one restart of a participant to the next; so nobody's restarts fall together.
  const turn = scenario.participants / restarts;
  const arrival = turn * Math.ceil(ARRIVAL_SECONDS / turn);
  users.arrive(arrival * 1_000);
  const settling = SETTLING_PERIODS * restartPeriodSeconds(scenario.delaySeconds);
  await clock.pass(Math.ceil((arrival + settling) * 1_000));
  for (const counter of [homeserver, sfu.calls, writes]) counter.reset();
  const wanted = Math.max(duration.seconds, duration.joins / sends);
  const seconds = Math.ceil(turn < wanted ? turn * Math.ceil(wanted / turn) : wanted);
  await clock.pass(seconds * 1_000);
  users.end();

  const { calls } = homeserver;
  return {
    rates: {
      restarts: calls.of("restart") / seconds,
      sends: calls.of("send") / seconds,
      listRooms: sfu.calls.of("listRooms") / seconds,
      listParticipants: sfu.calls.of("list") / seconds,
      getParticipant: sfu.calls.of("find") / seconds,
      storeChanges: writes.of("changes") / seconds,
    },
    storeGoes: writes.of("goes") / seconds,
    limited: calls.of("limited") / seconds,
    homeserverBursts: calls.bursts,
    sfuBursts: sfu.calls.bursts,
    lost: homeserver.lost,
    refused: users.refused,
    latestRestartPercent: homeserver.latestRestartPercent,
    longestLeaveSeconds: homeserver.longestLeaveSeconds,
    seconds,
  };
}

/** Makes numbers in [0, 1), the same for the same seed; the method is Marsaglia's xorshift. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
