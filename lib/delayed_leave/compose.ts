/** Puts the parts that look after delayed leaves together. */

import type { Logger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { withDeadline } from "../deadline.ts";
import { UpstreamError } from "../matrix/errors.ts";
import type { HttpClient } from "../net/http_client.ts";
import type { Participants } from "../sfu/participants.ts";
import type { SfuEvent } from "../sfu/sfu_event.ts";
import type { LiveKitRoom } from "../signing/names.ts";
import type { ClientApi } from "../homeserver/client_api.ts";
import { actingUserOf } from "./homeserver/app_service.ts";
import { createDelayedEvents } from "./homeserver/delayed_events.ts";
import { createDelayedLeaves, type DelayedLeaves } from "./delayed_leaves.ts";
import { createHomeserverQueues } from "./homeserver/homeserver_queue.ts";
import type { LeaveWatcher } from "./leave_watcher.ts";
import { createJobWriter } from "./stores/job_writer.ts";
import { createSfuWatch } from "./sfu/sfu_watch.ts";
import type { JobStore } from "./store.ts";
import { WatchedJobsByRoom } from "./watched_jobs.ts";

/** What looking after delayed leaves needs of the rest of the service. */
export interface DelegationEffects {
  readonly clock: Clock;
  readonly client: HttpClient;
  readonly clientApi: ClientApi;
  readonly random: () => number;
  readonly store: JobStore;
  readonly participants: Participants;
  /** @throws {SfuError} */
  readonly ensureRoom: (room: LiveKitRoom) => Promise<void>;
  /** Whoever counts leaves and what is done about them; absent where nobody does. */
  readonly leaveWatcher?: LeaveWatcher;
}

/** What the rest of the service sees of it. */
export interface DelegationService extends DelayedLeaves {
  /** Whether it will be noticed that a participant has gone. */
  isPossible(): boolean;
  /** @throws {UpstreamError} When it cannot be found out where the server's client API is. */
  resolveClientApi(serverName: string, timeoutMs: number): Promise<void>;
  /** An authentic webhook has come. */
  onWebhook(event: SfuEvent): void;
}

/** Makes it. Nothing is called before it is started. */
export function composeDelegation(
  config: Config,
  log: Logger,
  effects: DelegationEffects,
): DelegationService {
  const { clock, client, clientApi, leaveWatcher, random, store } = effects;
  const { mode, sanityCheckIntervalSeconds } = config.delegation;
  const { appService } = config;
  const queues = createHomeserverQueues({
    attempt: createDelayedEvents({
      client,
      clientApi,
      clock,
      ...(appService && { appService }),
    }),
    hasToken: (job) => actingUserOf(job, appService) !== undefined,
    clock,
    random,
    log,
    mayAct: (act) => store.mayAct(act),
  });
  const perform = leaveWatcher?.watchActions(queues) ?? queues;
  const watched = new WatchedJobsByRoom();
  const watch = createSfuWatch({
    participants: effects.participants,
    jobs: watched,
    ensureRoom: effects.ensureRoom,
    clock,
    random,
    log,
    intervalMs: sanityCheckIntervalSeconds * 1000,
  });
  watched.onFirst = () => watch.wake();
  const leaves = createDelayedLeaves({
    store,
    createWriter: (onLost) => createJobWriter({ store, clock, random, log, onLost }),
    watched,
    onEvent: watch.onEvent,
    perform,
    sfu: watch,
    clock,
    random,
    log,
  });
  leaveWatcher?.countWith(leaves.counts);
  let hasWebhooks = false;

  return {
    ...leaves,
    get count() {
      return leaves.count;
    },
    async start() {
      await leaves.start();
      watch.start();
    },
    async close(timeoutMs) {
      watch.stop();
      await leaves.close(timeoutMs);
    },
    isPossible: () =>
      mode === "on" || (mode === "auto" && (sanityCheckIntervalSeconds > 0 || hasWebhooks)),
    async resolveClientApi(serverName, timeoutMs) {
      const late = () => new UpstreamError("http", `${serverName}: no client API found in time`);
      await withDeadline(clientApi.resolve(serverName), timeoutMs, clock, late);
    },
    onWebhook(event) {
      hasWebhooks = true;
      watch.onWebhook(event);
    },
  };
}
