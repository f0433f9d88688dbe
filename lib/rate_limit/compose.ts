/** Puts the limits together, as far as the operator wants them. */

import type { Logger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { RedisRefusal } from "../delayed_leave/stores/redis_refusal.ts";
import type { AddressLookup } from "../net/dial.ts";
import type { TlsTrust } from "../net/tls_trust.ts";
import type { Pseudonym } from "../observability/pseudonym.ts";
import { type ClientLimit, createClientLimit } from "./client_limit.ts";
import { CountSync } from "./count_sync.ts";
import { createRedisCounts } from "./redis_counts.ts";
import { createServerLimit, type ServerLimit } from "./server_limit.ts";
import type { SharedCounts } from "./shared_counts.ts";
import { WindowCounter } from "./window_counter.ts";

/** The limits; those that are off are absent. */
export interface RateLimits {
  readonly client?: ClientLimit;
  readonly server?: ServerLimit;
  close(): void;
}

/** What they need of the rest of the service. */
export interface RateLimitParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly pseudonym: Pseudonym;
  /** Servers that the operator has named. */
  readonly isOwn: (serverName: string) => boolean;
  /** What replicas share; absent: each counts for itself. */
  readonly sharedCounts?: SharedCounts;
}

/** A few MiB when all are in use. */
const MAX_KEYS = 20_000;

/** Makes them. */
export function composeRateLimits(
  { perClient, perServer }: Config["rateLimit"],
  parts: RateLimitParts,
): RateLimits {
  const { clock, isOwn, sharedCounts } = parts;
  const sync = sharedCounts && new CountSync({
    ...parts,
    counts: sharedCounts,
    isFinal: (error) => error instanceof RedisRefusal && error.isUnsupported,
  });

  function createCounter(name: string, limit: number, seconds: number): WindowCounter {
    const counter = new WindowCounter({
      limit,
      windowMs: seconds * 1000,
      maxKeys: MAX_KEYS,
      clock,
      ...(sync && { onTaken: (key: string) => sync.note(name, key) }),
    });
    sync?.add(name, counter);
    return counter;
  }

  return {
    ...(perClient && {
      client: createClientLimit({
        ...parts,
        counter: createCounter("client", perClient.cost, perClient.seconds),
      }),
    }),
    ...(perServer && {
      server: createServerLimit({
        counter: createCounter("server", perServer.count, perServer.seconds),
        isExempt: isOwn,
        clock,
      }),
    }),
    close: () => sync?.stop(),
  };
}

/** Where replicas count together, if they do: in the Redis that the operator has named. */
export function chooseSharedCounts(
  config: Config,
  effects: {
    readonly clock: Clock;
    readonly lookup: AddressLookup;
    readonly trust: TlsTrust;
  },
): SharedCounts | undefined {
  const { delegation: { redis }, rateLimit, insecureSkipVerifyTls, liveKit } = config;
  if (redis === undefined) return undefined;
  if (rateLimit.perClient === undefined && rateLimit.perServer === undefined) return undefined;
  return createRedisCounts({ ...effects, ...redis, insecureSkipVerifyTls, pepper: liveKit.secret });
}
