/** The HTTP client, made of undici's connection pools. */

import { LRUCache } from "lru-cache";
import type { Clock } from "../clock.ts";
import { DeadConnectionError, Exchange } from "./exchange.ts";
import type { HttpClient, HttpRequest, HttpResponse, HttpTarget } from "./http_client.ts";
import { type Connect, TargetPool } from "./target_pool.ts";

/** What the client needs. */
export interface UndiciClientOptions {
  readonly connect: Connect;
  readonly clock: Clock;
}

/** Pools in memory; the least recently used one closes first. An idle pool has no sockets. */
const MAX_POOLS = 512;

/** Makes the client. {@linkcode HttpClient.close} ends what it holds. */
export function createUndiciClient({ connect, clock }: UndiciClientOptions): HttpClient {
  const pools = new LRUCache<string, TargetPool>({
    max: MAX_POOLS,
    dispose: (pool) => void pool.close(),
  });

  function poolFor(target: HttpTarget): TargetPool {
    let pool = pools.get(target.key);
    if (pool === undefined) pools.set(target.key, pool = new TargetPool(target, connect, clock));
    return pool;
  }

  function exchange(target: HttpTarget, request: HttpRequest, timeoutMs: number) {
    return new Promise<HttpResponse>((resolve, reject) => {
      const exchange = new Exchange(target, request, resolve, reject);
      exchange.cancelDeadline = clock.after(timeoutMs, () => exchange.expire(timeoutMs));
      poolFor(target).send(exchange);
    });
  }

  return {
    async request(target, request) {
      const startedAt = clock.monotonic();
      try {
        return await exchange(target, request, request.timeoutMs);
      } catch (error) {
        const msLeft = request.timeoutMs - (clock.monotonic() - startedAt);
        if (!(error instanceof DeadConnectionError) || msLeft <= 0) throw error;
        return await exchange(target, request, msLeft);
      }
    },
    async close() {
      const closing = [...pools.values()].map((pool) => pool.close());
      pools.clear();
      await Promise.all(closing);
    },
  };
}
