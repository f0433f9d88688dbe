/** What happens when everything comes at once. */

import type { StoredJob } from "../../lib/delayed_leave/job.ts";
import { Secret } from "../../lib/secret.ts";
import type { LiveKitIdentity, LiveKitRoom } from "../../lib/signing/names.ts";
import { Homeserver } from "./homeserver.ts";
import { Meter } from "./meter.ts";
import { createReplica } from "./replica.ts";
import { type CallLimit, type Scenario, USUAL, WEBHOOK_MS } from "./scenario.ts";
import { Sfu } from "./sfu.ts";
import { createRandom } from "./simulate.ts";
import { createVirtualClock } from "./virtual_clock.ts";

/** A start with everybody in a call, and then all hang up. */
export interface Waves {
  readonly participants: number;
  readonly delaySeconds: number;
  readonly limit: CallLimit | undefined;
  /** From the start until nearly all events have been restarted. */
  readonly restartSeconds: number;
  /** Calls to the SFU meanwhile. */
  readonly sfuCalls: number;
  /** The most calls to the SFU in one second. */
  readonly sfuMost: number;
  /** Participants whose leave the homeserver sent meanwhile. */
  readonly lost: number;
  /** From the last one's hanging up until nearly all leaves have been sent. */
  readonly sendSeconds: number;
}

/** The last few per thousand may have been due for another restart, or have gone meanwhile. */
const NEARLY_ALL = 0.995;
const STEP_MS = 100;
const LONGEST_MS = 7_200_000;
/** Within this all hang up. */
const LEAVING_MS = 1_000;
const PLAYED_OUT_SECONDS = 30;

/** Starts a service that finds jobs of an earlier process, lets all settle, and ends all calls. */
export async function simulateWaves(
  participants: number,
  delaySeconds: number,
  limit?: CallLimit,
): Promise<Waves> {
  const scenario: Scenario = { ...USUAL, participants, delaySeconds };
  const clock = createVirtualClock();
  const random = createRandom(1);
  const homeserver = new Homeserver(clock, scenario.homeserverMs, limit);
  const sfu = new Sfu(clock);
  // The service was away for a moment; until then all had been restarted in time.
  const longestAgoMs = delaySeconds * 1_000 * 0.8;
  const jobs: StoredJob[] = [];
  for (let n = 0; n < participants; n++) {
    const identity = `@user${n}:example.org:DEVICE` as LiveKitIdentity;
    const room = `room${Math.floor(n / scenario.roomSize)}` as LiveKitRoom;
    const agoMs = random() * longestAgoMs;
    const delayTimeoutMs = delaySeconds * 1_000;
    homeserver.schedule(`syd_${n}`, delayTimeoutMs, agoMs);
    sfu.join(room, { identity, sid: `PA_${n}` });
    const delayId = new Secret(`syd_${n}`);
    const job = { room, identity, delayId, delayTimeoutMs, serverName: "example.org" };
    jobs.push({ job, restartedAt: clock.now() - agoMs, wasConnected: true });
  }
  const replica = createReplica({
    clock,
    random,
    homeserver,
    sfu,
    writes: new Meter(clock),
    intervalSeconds: scenario.intervalSeconds,
    kept: jobs,
    pass() {},
  });

  async function secondsUntil(isOver: () => boolean): Promise<number> {
    const startedAt = clock.monotonic();
    while (!isOver() && clock.monotonic() - startedAt < LONGEST_MS) await clock.pass(STEP_MS);
    return (clock.monotonic() - startedAt) / 1_000;
  }

  await replica.start();
  const given = () => participants - replica.count;
  const restartSeconds = await secondsUntil(() =>
    homeserver.restarted + given() >= participants * NEARLY_ALL
  );
  const sfuCalls = ["find", "list", "listRooms"] as const;
  const result = {
    participants,
    delaySeconds,
    limit,
    restartSeconds,
    sfuCalls: sfuCalls.reduce((sum, method) => sum + sfu.calls.of(method), 0),
    sfuMost: sfu.calls.bursts.inOneSecond,
    // Nobody has left: who is given up has been lost.
    lost: given(),
  };
  await clock.pass(PLAYED_OUT_SECONDS * 1_000);
  homeserver.reset();
  for (const [n, { job: { room, identity, delayId } }] of jobs.entries()) {
    clock.after(n / participants * LEAVING_MS, () => {
      homeserver.leave(delayId.reveal());
      sfu.leave(room, identity);
      const participant = { identity, sid: `PA_${n}` };
      const disconnectReason = "CLIENT_INITIATED";
      const event = { event: "participant_left", room, participant, disconnectReason };
      clock.after(WEBHOOK_MS, () => void replica.onWebhook(event));
    });
  }
  await clock.pass(LEAVING_MS);
  const sendSeconds = await secondsUntil(() => replica.count <= participants * (1 - NEARLY_ALL));
  return { ...result, sendSeconds };
}
