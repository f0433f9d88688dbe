import type { JobKey, StoredJob } from "../../../lib/delayed_leave/job.ts";
import type { ParticipantEvent } from "../../../lib/delayed_leave/participant_event.ts";
import {
  createRedisStore,
  type RedisStoreOptions,
} from "../../../lib/delayed_leave/stores/redis_store.ts";
import type { JobStore, StoreListener } from "../../../lib/delayed_leave/store.ts";
import { lookupAddresses } from "../../../lib/net/dial.ts";
import { Secret } from "../../../lib/secret.ts";
import { createSystemClock } from "../../../lib/system_clock.ts";
import { type CapturedLog, captureLog } from "../../support/captured_log.ts";

/** Times that a test can wait for; in the proportions of the real ones. */
export const SHORT = {
  leaseMs: 900,
  renewMs: 200,
  tickMs: 50,
  holdMs: 900,
  commandMs: 600,
  silenceMs: 1_300,
  scanMs: 200,
  startMs: 2_000,
  connectMs: 1_500,
};

/** What a listener has heard, and how to wait for more. */
export interface Heard {
  readonly taken: StoredJob[];
  readonly lost: JobKey[];
  readonly events: ParticipantEvent[];
  readonly recovered: number;
  /** Resolves when a condition holds, which is looked at after everything that is heard. */
  until(condition: (heard: Heard) => boolean): Promise<void>;
}

/** A listener that notes everything. */
export function createEar(): { listener: StoreListener; heard: Heard } {
  const waiting = new Set<() => void>();
  const state = {
    taken: [] as StoredJob[],
    lost: [] as JobKey[],
    events: [] as ParticipantEvent[],
    recovered: 0,
    until(condition: (heard: Heard) => boolean): Promise<void> {
      return new Promise((resolve) => {
        const look = () => {
          if (!condition(state)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      });
    },
  };
  const tell = () => waiting.forEach((look) => look());
  const listener: StoreListener = {
    onTaken(jobs) {
      state.taken.push(...jobs);
      tell();
    },
    onLost(keys) {
      state.lost.push(...keys);
      tell();
    },
    onEvent(event) {
      state.events.push(event);
      tell();
    },
    onRecovered() {
      state.recovered++;
      tell();
    },
  };
  return { listener, heard: state };
}

/** Makes a store with short times and the real clock. */
export function openStore(
  url: string,
  { log }: CapturedLog,
  options: Partial<Omit<RedisStoreOptions, "url" | "password">> & { password?: string } = {},
): JobStore {
  const { password, times, ...rest } = options;
  return createRedisStore({
    url: new Secret(url),
    ...(password !== undefined && { password: new Secret(password) }),
    lookup: lookupAddresses,
    trust: { ca: [] },
    insecureSkipVerifyTls: false,
    clock: createSystemClock(),
    random: Math.random,
    log,
    times: { ...SHORT, ...times },
    ...rest,
  });
}

/** The log that stores of a test write. */
export function openLog(): Promise<CapturedLog> {
  return captureLog({ level: "info", format: "text", clock: createSystemClock() });
}
