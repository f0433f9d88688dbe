/** What Redis says when it does not do what it was asked, in words for operators. */

import { StoreError } from "../store.ts";

/** Redis has answered a command with an error. */
export class RedisRefusal extends StoreError {
  /**
   * @param code The first word of the answer, `ERR` where it has none of its own.
   * @param isUnsupported Whether the command, or something that a script does, is
   * unknown to the server or forbidden to this user: asking again is no use.
   */
  constructor(message: string, readonly code: string, readonly isUnsupported: boolean) {
    super("answer", message);
  }
}

const REMEDIES: Readonly<Record<string, string>> = {
  WRONGPASS: "refuses user or password: check LIVEKIT_REDIS_URL and LIVEKIT_REDIS_PASSWORD",
  NOAUTH: "wants a password: set LIVEKIT_REDIS_PASSWORD",
  OOM: "has no memory left: raise its maxmemory, or have something else deleted",
  READONLY: "is a read-only copy: name the primary in LIVEKIT_REDIS_URL",
  MASTERDOWN: "is a copy without its primary: name the primary in LIVEKIT_REDIS_URL",
  LOADING: "is still loading its data: wait, then start again",
  MISCONF: "cannot save to its disk and takes no writes: see its log",
  BUSY: "is busy with somebody's script: see its log",
  DENIED: "runs in protected mode: give it a password, and LIVEKIT_REDIS_PASSWORD the same one",
  NOREPLICAS: "takes no writes without its copies: see its min-replicas-to-write",
  WRONGTYPE: "keeps something else under one of this service's keys: choose another database",
  MOVED: "is a cluster, which is not supported: name a server by itself",
  CLUSTERDOWN: "is a cluster, which is not supported: name a server by itself",
};

/**
 * Words an error that Redis has answered with. The answer itself is left out
 * nearly always: Redis repeats arguments in it, passwords included.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { refusalOf } from "./redis_refusal.ts";
 *
 * assertEquals(
 *   refusalOf("cache:6379", "HSET", "NOPERM this user has no permissions").message,
 *   "Redis at cache:6379 does not allow HSET (NOPERM): allow it to this user with ACL SETUSER",
 * );
 * ```
 *
 * @param place Where the server is, as messages name it.
 * @param command What was asked, without arguments.
 * @param answer The text of the error, as it came.
 */
export function refusalOf(place: string, command: string, answer: string): RedisRefusal {
  // Redis 6 has the code of what failed in a script in the middle.
  const code = /: -([A-Z]{3,20}) /.exec(answer)?.[1] ?? /^[A-Z]{2,20}(?= |$)/.exec(answer)?.[0] ??
    "ERR";
  const server = `Redis at ${place}`;
  const remedy = REMEDIES[code];
  if (remedy !== undefined) return new RedisRefusal(`${server} ${remedy} (${code})`, code, false);
  if (/max number of clients/i.test(answer)) {
    return new RedisRefusal(
      `${server} has no room for another client: see maxclients`,
      code,
      false,
    );
  }
  if (command === "SELECT" && code === "ERR") {
    return new RedisRefusal(`${server} has no database of this number`, code, false);
  }
  if (code === "CROSSSLOT") {
    // A cluster behind one address, as clouds have it: commands work, scripts do not.
    return new RedisRefusal(
      `${server} is a cluster, where scripts cannot work (${code})`,
      code,
      true,
    );
  }
  const forbidden = code === "NOPERM" || /ACL failure/i.test(answer);
  const what = forbidden
    ? `does not allow ${command} (${code}): allow it to this user with ACL SETUSER`
    : `does not know ${command} (${code})`;
  return new RedisRefusal(`${server} ${what}`, code, forbidden || code === "ERR");
}
