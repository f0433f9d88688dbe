import { getLogger } from "@logtape/logtape";
import type { Clock } from "../../../lib/clock.ts";
import { createDelayedEvents } from "../../../lib/delayed_leave/delayed_events.ts";
import { createDelayedLeaves } from "../../../lib/delayed_leave/delayed_leaves.ts";
import { createClientApi } from "../../../lib/delayed_leave/client_api.ts";
import { createHomeserverQueues } from "../../../lib/delayed_leave/homeserver_queue.ts";
import type { Job } from "../../../lib/delayed_leave/job.ts";
import { createJobWriter } from "../../../lib/delayed_leave/job_writer.ts";
import { createSfuWatch } from "../../../lib/delayed_leave/sfu_watch.ts";
import type { JobStore } from "../../../lib/delayed_leave/store.ts";
import { WatchedJobsByRoom } from "../../../lib/delayed_leave/watched_jobs.ts";
import type { Participants } from "../../../lib/sfu/participants.ts";
import type { SfuEvent } from "../../../lib/sfu/sfu_event.ts";
import { receiveWebhook } from "../../../lib/usecases/receive_webhook.ts";
import { createFaultyStore, type StoreMode } from "./faulty_store.ts";
import type { ModelHomeserver } from "./model_homeserver.ts";
import type { ModelSfu } from "./model_sfu.ts";
import { createProcessClock } from "./process_clock.ts";

/** All of the service that looks after delayed leaves, in a process that can be killed. */
export interface ModelProcess {
  readonly id: number;
  /** When it was killed or told to stop. */
  endedAt?: number;
  /** Whether the SFU has answered it at all. */
  readonly hasHeardOfSfu: boolean;
  /** Jobs there are. */
  readonly jobs: number;
  /** Actions that wait for the clock. */
  readonly timers: number;
  /** Calls of the real store under way. */
  readonly storeCalls: number;
  start(): Promise<void>;
  delegate(job: Job, timeoutMs: number): Promise<void>;
  deliver(event: SfuEvent): Promise<void>;
  close(timeoutMs: number): Promise<void>;
  kill(): Promise<void>;
}

/** What a process is put into. */
export interface ModelProcessOptions {
  readonly id: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly homeserver: ModelHomeserver;
  readonly sfu: ModelSfu;
  readonly store: JobStore;
  readonly storeMode: () => StoreMode;
  readonly intervalMs: number;
}

/** Where the model homeserver says that it is; nothing is resolved for it. */
export const SERVER_NAME = "example.org";

/** Makes one; nothing runs before it is started. */
export function createModelProcess(options: ModelProcessOptions): ModelProcess {
  const { homeserver, id, random, sfu } = options;
  const clock = createProcessClock(options.clock);
  const log = getLogger(["tests", "model process"]);
  const store = createFaultyStore(options.store, options.storeMode, clock);
  let isDead = false;
  let hasHeardOfSfu = false;

  /** What comes back for a process that has died does not arrive. */
  function whileAlive<T>(call: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      call.then((value) => {
        hasHeardOfSfu = true;
        if (!isDead) resolve(value);
      }, (error) => {
        if (!isDead) reject(error);
      });
    });
  }

  const participants: Participants = {
    find: (room, identity) => whileAlive(sfu.participants.find(room, identity)),
    list: (room) => whileAlive(sfu.participants.list(room)),
    listRooms: (names) => whileAlive(sfu.participants.listRooms(names)),
  };
  const client = homeserver.clientFor(id, clock);
  const clientApi = createClientApi({
    client,
    clock,
    isOwn: () => true,
    overrides: new Map([[SERVER_NAME, "http://homeserver"]]),
  });
  const watched = new WatchedJobsByRoom();
  const watch = createSfuWatch({
    participants,
    jobs: watched,
    ensureRoom: (room) => whileAlive(sfu.ensureRoom(room)),
    intervalMs: options.intervalMs,
    clock,
    random,
    log,
  });
  watched.onFirst = () => watch.wake();
  const leaves = createDelayedLeaves({
    store,
    createWriter: (onLost) => createJobWriter({ store, clock, random, log, onLost }),
    watched,
    perform: createHomeserverQueues({
      attempt: createDelayedEvents({ client, clientApi, clock }),
      clock,
      random,
      mayAct: (act) => store.mayAct(act),
      log,
    }),
    sfu: watch,
    clock,
    random,
    log,
  });

  return {
    id,
    get hasHeardOfSfu() {
      return hasHeardOfSfu;
    },
    get jobs() {
      return leaves.count;
    },
    get timers() {
      return clock.timers;
    },
    get storeCalls() {
      return store.calls;
    },
    async start() {
      await leaves.start();
      watch.start();
    },
    delegate: (job, timeoutMs) => leaves.delegate(job, timeoutMs),
    deliver: (event) =>
      receiveWebhook(event, {
        forgetRoom: () => {},
        delayedLeaves: { onWebhook: (event) => watch.onWebhook(event), onEvent: leaves.onEvent },
      }),
    async close(timeoutMs) {
      watch.stop();
      await leaves.close(timeoutMs);
      isDead = true;
      clock.kill();
    },
    async kill() {
      isDead = true;
      clock.kill();
      await store.kill();
    },
  };
}
