import type { Logger } from "@logtape/logtape";
import type { Clock } from "../../clock.ts";
import type { Config } from "../../config/config.ts";
import type { AddressLookup } from "../../net/dial.ts";
import type { TlsTrust } from "../../net/tls_trust.ts";
import { createMemoryStore } from "./memory_store.ts";
import { createRedisStore } from "./redis_store.ts";
import { createSqliteStore } from "./sqlite_store.ts";
import type { JobStore } from "../store.ts";

/** What a store needs of the world. */
export interface StoreEffects {
  readonly clock: Clock;
  readonly lookup: AddressLookup;
  readonly trust: TlsTrust;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** Where jobs are kept: Redis before a file, a file before memory. */
export function storeKindOf({ delegation }: Config): "redis" | "file" | "memory" | "off" {
  if (delegation.mode === "off") return "off";
  if (delegation.redis !== undefined) return "redis";
  return delegation.stateDir === undefined ? "memory" : "file";
}

/** Makes the store that the operator has chosen. */
export function chooseStore(config: Config, log: Logger, effects: StoreEffects): JobStore {
  const { delegation, insecureSkipVerifyTls } = config;
  switch (storeKindOf(config)) {
    case "redis":
      return createRedisStore({ ...effects, ...delegation.redis!, insecureSkipVerifyTls, log });
    case "file":
      return createSqliteStore({ folder: delegation.stateDir!, clock: effects.clock, log });
    default:
      return createMemoryStore();
  }
}
