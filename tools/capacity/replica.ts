/** One process of the service: its real parts, between what counts. */

import { getLogger } from "@logtape/logtape";
import type { Clock } from "../../lib/clock.ts";
import { createDelayedLeaves } from "../../lib/delayed_leave/delayed_leaves.ts";
import { createHomeserverQueues } from "../../lib/delayed_leave/homeserver/homeserver_queue.ts";
import type { Job, StoredJob } from "../../lib/delayed_leave/job.ts";
import { createJobWriter } from "../../lib/delayed_leave/stores/job_writer.ts";
import type { ParticipantEvent } from "../../lib/delayed_leave/participant_event.ts";
import { createSfuWatch } from "../../lib/delayed_leave/sfu/sfu_watch.ts";
import type { JobStore, StoreListener } from "../../lib/delayed_leave/store.ts";
import { WatchedJobsByRoom } from "../../lib/delayed_leave/watched_jobs.ts";
import type { SfuEvent } from "../../lib/sfu/sfu_event.ts";
import { receiveWebhook } from "../../lib/usecases/receive_webhook.ts";
import type { Homeserver } from "./homeserver.ts";
import type { Meter } from "./meter.ts";
import type { Sfu } from "./sfu.ts";

/** What a replica is put between. */
export interface ReplicaOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly homeserver: Homeserver;
  readonly sfu: Sfu;
  /** Counts what the stores of all replicas are given. */
  readonly writes: Meter<"changes" | "goes">;
  readonly intervalSeconds: number;
  /** Jobs of an earlier process, if there was one. */
  readonly kept?: readonly StoredJob[];
  /** Hands an event to the other replicas. */
  readonly pass: (event: ParticipantEvent) => void;
}

/** A replica as its users, the SFU and other replicas see it. */
export interface Replica {
  start(): Promise<void>;
  /** @throws {UnavailableError} When it has too many jobs. */
  delegate(job: Job): Promise<void>;
  onWebhook(event: SfuEvent): Promise<void>;
  /** Another replica was told this, and does not know the participant. */
  onPassed(event: ParticipantEvent): void;
  /** Jobs in its care. */
  readonly count: number;
}

const STORE_MS = 1;
const KEEP_TIMEOUT_MS = 5_000;

/** Puts the parts together as `lib/delayed_leave/compose.ts` does. */
export function createReplica(options: ReplicaOptions): Replica {
  const { clock, random, homeserver, sfu, writes } = options;
  // Nobody has set this one up, so nothing is written.
  const log = getLogger("capacity");
  let listener: StoreListener | undefined;
  const store: JobStore = {
    start(whoListens) {
      listener = whoListens;
      return Promise.resolve(options.kept ?? []);
    },
    async write(changes) {
      writes.count("goes");
      writes.count("changes", changes.length);
      await new Promise<void>((resolve) => void clock.after(STORE_MS, resolve));
      return changes.map(() => "kept");
    },
    pass: (event) => Promise.resolve(options.pass(event)),
    mayAct: () => true,
    fallsToThis: () => true,
    close: () => Promise.resolve(),
  };
  const watched = new WatchedJobsByRoom();
  const watch = createSfuWatch({
    participants: sfu,
    jobs: watched,
    ensureRoom: () => Promise.resolve(),
    clock,
    random,
    log,
    intervalMs: options.intervalSeconds * 1_000,
  });
  watched.onFirst = () => watch.wake();
  const leaves = createDelayedLeaves({
    store,
    createWriter: (onLost) => createJobWriter({ store, clock, random, log, onLost }),
    watched,
    onEvent: watch.onEvent,
    perform: createHomeserverQueues({
      attempt: homeserver.attempt,
      clock,
      random,
      log,
      mayAct: () => true,
    }),
    sfu: watch,
    clock,
    random,
    log,
  });
  const delayedLeaves = { onWebhook: watch.onWebhook, onEvent: leaves.onEvent };

  return {
    async start() {
      await leaves.start();
      watch.start();
    },
    delegate: (job) => leaves.delegate(job, KEEP_TIMEOUT_MS),
    onWebhook: (event) => receiveWebhook(event, { forgetRoom() {}, delayedLeaves }),
    onPassed: (event) => listener?.onEvent(event),
    get count() {
      return leaves.count;
    },
  };
}
