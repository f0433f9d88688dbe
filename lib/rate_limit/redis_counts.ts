/** Counts that replicas share through Redis or Valkey. */

import { createHash, createHmac } from "node:crypto";
import type { Clock } from "../clock.ts";
import { readRedisUrl } from "../config/parse/parse_redis_url.ts";
import { openRedis, type RedisConnection } from "../delayed_leave/stores/redis_connection.ts";
import { runScript } from "../delayed_leave/stores/redis_run_script.ts";
import type { RedisScript } from "../delayed_leave/stores/redis_scripts.ts";
import type { AddressLookup } from "../net/dial.ts";
import type { TlsTrust } from "../net/tls_trust.ts";
import type { Secret } from "../secret.ts";
import type { CountedPart, SharedCounts } from "./shared_counts.ts";
import type { SharedCount } from "./window_counter.ts";

/** What the counts need. */
export interface RedisCountsOptions {
  /** As {@linkcode readRedisUrl} reads it. */
  readonly url: Secret;
  /** In place of the URL's own. */
  readonly password?: Secret;
  /** What all replicas know and nobody else: Redis is not told who the clients are. */
  readonly pepper: Secret;
  readonly lookup: AddressLookup;
  readonly trust: TlsTrust;
  readonly insecureSkipVerifyTls: boolean;
  readonly clock: Clock;
}

const KEY_PREFIX = "matrixrtc-auth:limit:";
const CONNECT_MS = 5_000;
/** No request waits for it, so it may take longer than a request would bear. */
const COMMAND_MS = 1_000;

/**
 * Adds to counters that come to an end.
 *
 * KEYS: counters. ARGV: for each its window in milliseconds, then what to add.
 * Returns for each the sum, then the milliseconds left of its window.
 */
const ADD_TEXT = `
local reply = {}
for i, key in ipairs(KEYS) do
  local total = redis.call('INCRBY', key, ARGV[2 * i])
  local left = redis.call('PTTL', key)
  if left < 0 then
    left = ARGV[2 * i - 1]
    redis.call('PEXPIRE', key, left)
  end
  reply[#reply + 1] = total
  reply[#reply + 1] = tonumber(left)
end
return reply
`;
const ADD: RedisScript = {
  name: "ADD",
  text: ADD_TEXT,
  sha1: createHash("sha1").update(ADD_TEXT).digest("hex"),
};

/** Makes the counts. Nothing is connected to before there is something to add. */
export function createRedisCounts(options: RedisCountsOptions): SharedCounts {
  const address = readRedisUrl(options.url.reveal());
  let connection: RedisConnection | undefined;
  let isClosed = false;

  const nameOf = ({ limit, key }: CountedPart) => {
    const hash = createHmac("sha256", options.pepper.reveal()).update(key).digest("base64url");
    return `${KEY_PREFIX}${limit}:${hash.slice(0, 22)}`;
  };

  async function connect(): Promise<RedisConnection> {
    if (connection?.isClosed === false) return connection;
    const opened = await openRedis({
      ...options,
      address,
      commandMs: COMMAND_MS,
      connectMs: CONNECT_MS,
    });
    if (isClosed) opened.close();
    connection = opened;
    return opened;
  }

  return {
    async add(parts) {
      if (parts.length === 0) return [];
      const open = await connect();
      try {
        const args = parts.flatMap(({ windowMs, count }) => [windowMs, count]);
        return readReply(await runScript(open, ADD, parts.map(nameOf), args));
      } catch (error) {
        // What is under way on it would count twice, or for the wrong window.
        open.close();
        throw error;
      }
    },
    close() {
      isClosed = true;
      connection?.close();
    },
  };
}

function readReply(reply: unknown): SharedCount[] {
  const numbers = Array.isArray(reply) ? reply.map(Number) : [];
  const counts: SharedCount[] = [];
  for (let n = 0; n + 1 < numbers.length; n += 2) {
    counts.push({ total: numbers[n]!, msLeft: numbers[n + 1]! });
  }
  return counts;
}
