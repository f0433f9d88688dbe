import { getLogger } from "@logtape/logtape";
import type { Clock } from "../../../lib/clock.ts";
import type { Config } from "../../../lib/config/config.ts";
import { loadConfig } from "../../../lib/config/load_config.ts";
import { composeDelegation } from "../../../lib/delayed_leave/compose.ts";
import type { Job, StoredJob } from "../../../lib/delayed_leave/job.ts";
import type { JobStore } from "../../../lib/delayed_leave/store.ts";
import { createClientApi } from "../../../lib/homeserver/client_api.ts";
import type { Participants } from "../../../lib/sfu/participants.ts";
import type { SfuEvent } from "../../../lib/sfu/sfu_event.ts";
import { receiveWebhook } from "../../../lib/usecases/receive_webhook.ts";
import { createFaultyStore, type StoreMode } from "./faulty_store.ts";
import { AS_TOKEN, type ModelHomeserver } from "./model_homeserver.ts";
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
  /** Told of each job that is in the store now. */
  readonly onKept: (stored: StoredJob) => void;
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
  const config = createConfig(options.intervalMs);
  const clientApi = createClientApi({
    client,
    clock,
    isOwn: () => true,
    overrides: config.csApiUrlOverrides,
  });
  const delegation = composeDelegation(config, log, {
    clock,
    client,
    clientApi,
    random,
    store: {
      ...store,
      async write(changes) {
        const results = await store.write(changes);
        for (const [n, change] of changes.entries()) {
          if (change.kind !== "remove" && results[n] === "kept") options.onKept(change.stored);
        }
        return results;
      },
    },
    participants,
    ensureRoom: (room) => whileAlive(sfu.ensureRoom(room)),
  });

  return {
    id,
    get hasHeardOfSfu() {
      return hasHeardOfSfu;
    },
    get jobs() {
      return delegation.count;
    },
    get timers() {
      return clock.timers;
    },
    get storeCalls() {
      return store.calls;
    },
    start: () => delegation.start(),
    delegate: (job, timeoutMs) => delegation.delegate(job, timeoutMs),
    deliver: (event) => receiveWebhook(event, { forgetRoom: () => {}, delayedLeaves: delegation }),
    async close(timeoutMs) {
      await delegation.close(timeoutMs);
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

function createConfig(intervalMs: number): Config {
  return loadConfig({
    env: {
      LIVEKIT_URL: "ws://sfu",
      LIVEKIT_KEY: "devkey",
      LIVEKIT_SECRET: "a-secret-of-thirty-two-characters!",
      LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS: String(intervalMs / 1000),
      LIVEKIT_CS_API_URL_OVERRIDES: `${SERVER_NAME}=http://homeserver`,
      LIVEKIT_AS_TOKEN: AS_TOKEN,
      LIVEKIT_HS_TOKEN: "hs-token",
      LIVEKIT_HS_SERVER_NAME: SERVER_NAME,
    },
    readFile: () => "",
  }).config;
}
