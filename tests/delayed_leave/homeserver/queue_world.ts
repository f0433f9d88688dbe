/** What the tests of the queue share: jobs, a virtual clock, and attempts that end when told. */

import type { Clock } from "../../../lib/clock.ts";
import type { Outcome } from "../../../lib/delayed_leave/homeserver/delayed_events.ts";
import type { ActionResult, PerformAction } from "../../../lib/delayed_leave/homeserver_action.ts";
import { createHomeserverQueues } from "../../../lib/delayed_leave/homeserver/homeserver_queue.ts";
import type { Job } from "../../../lib/delayed_leave/job.ts";
import type { QueueOptions } from "../../../lib/delayed_leave/homeserver/server_queue.ts";
import type { Act } from "../../../lib/delayed_leave/store.ts";
import { type Hop, UpstreamError } from "../../../lib/matrix/errors.ts";
import { Secret } from "../../../lib/secret.ts";
import type { LiveKitIdentity, LiveKitRoom } from "../../../lib/signing/names.ts";
import { type CapturedLog, captureLog } from "../../support/captured_log.ts";
import { createManualClock } from "../../support/manual_clock.ts";
import { createVirtualTime, settle, type VirtualTime } from "./virtual_time.ts";

/** Makes a job. */
export function createJob(id: string, serverName = "example.org", delayTimeoutMs = 60_000): Job {
  return {
    room: "room" as LiveKitRoom,
    identity: `identity of ${id}` as LiveKitIdentity,
    delayId: new Secret(id),
    delayTimeoutMs,
    serverName,
  };
}

/** Says that an attempt has failed. */
export function failed(hop: Hop = "tcp", isUnresolved = false): Outcome {
  return { kind: "failed", error: new UpstreamError(hop, "no luck"), isUnresolved };
}

/** An attempt that is under way until the test ends it. */
export interface SeenAttempt {
  readonly id: string;
  readonly serverName: string;
  readonly act: Act;
  readonly timeoutMs: number;
  /** Milliseconds since the start. */
  readonly at: number;
  /** Ends it, and lets what follows from that happen. */
  end(outcome: Outcome | Outcome["kind"]): Promise<void>;
}

/** An action that the queue was given. */
export interface GivenAction {
  result: ActionResult | undefined;
  /** When it ended, milliseconds since the start. */
  endedAt: number;
  isWanted: boolean;
}

/** A queue whose world a test commands. */
export interface QueueWorld {
  readonly clock: VirtualTime;
  readonly attempts: SeenAttempt[];
  /** Acts that are allowed. */
  readonly allowed: Set<Act>;
  readonly logText: CapturedLog["logText"];
  /** Gives an action, due so many milliseconds from now. */
  give(id: string, act: Act, msLeft: number, serverName?: string): GivenAction;
  /** Attempts so far, `restart a`, since the last time this was asked. */
  started(): Promise<string[]>;
}

/** Makes the world. `answer` ends attempts by itself, at once. */
export async function createQueueWorld(
  options: {
    random?: () => number;
    answer?: (attempt: SeenAttempt) => Outcome;
    /** IDs of jobs whose calls carry a token. */
    withToken?: readonly string[];
  } = {},
): Promise<QueueWorld> {
  const clock = createVirtualTime();
  // The log has timers of its own, which are not to be counted among the queue's.
  const log = await captureLog({ level: "debug", format: "json", clock: createManualClock() });
  const attempts: SeenAttempt[] = [];
  const allowed = new Set<Act>(["send", "restart"]);
  let told = 0;
  const perform = createHomeserverQueues({
    clock,
    log: log.log,
    random: options.random ?? (() => 0.5),
    mayAct: (act) => allowed.has(act),
    hasToken: (job) => options.withToken?.includes(job.delayId.reveal()) === true,
    // deno-lint-ignore require-await -- what answer() throws is to be a rejection.
    async attempt(job, act, timeoutMs) {
      const { promise, resolve } = Promise.withResolvers<Outcome>();
      const attempt: SeenAttempt = {
        id: job.delayId.reveal(),
        serverName: job.serverName,
        act,
        timeoutMs,
        at: clock.monotonic(),
        end(outcome) {
          resolve(typeof outcome === "string" ? { kind: outcome } as Outcome : outcome);
          return settle();
        },
      };
      attempts.push(attempt);
      return options.answer?.(attempt) ?? promise;
    },
  });
  return {
    clock,
    attempts,
    allowed,
    logText: log.logText,
    give(id, act, msLeft, serverName) {
      const given: GivenAction = { result: undefined, endedAt: NaN, isWanted: true };
      void perform({
        job: createJob(id, serverName),
        act,
        deadline: clock.monotonic() + msLeft,
        isWanted: () => given.isWanted,
      }).then((result) => {
        given.result = result;
        given.endedAt = clock.monotonic();
      });
      return given;
    },
    async started() {
      await settle();
      const since = attempts.slice(told);
      told = attempts.length;
      return since.map(({ act, id }) => `${act} ${id}`);
    },
  };
}

/** Numbers in [0, 1) that are the same in every run. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

/** Makes a queue over an attempt, for simulations. */
export async function createQueue(
  clock: Clock,
  options: Pick<QueueOptions, "attempt"> & Partial<QueueOptions>,
): Promise<PerformAction> {
  const { log } = await captureLog({ level: "warning", format: "json", clock });
  return createHomeserverQueues({
    clock,
    log,
    random: createRandom(1),
    mayAct: () => true,
    ...options,
  });
}
