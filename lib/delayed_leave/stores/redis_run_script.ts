import type { RedisConnection } from "./redis_connection.ts";
import { RedisRefusal } from "./redis_refusal.ts";
import type { RedisScript } from "./redis_scripts.ts";

/**
 * Runs a script by its hash, or by its text where Redis does not have it yet.
 *
 * @throws {StoreError} As {@linkcode RedisConnection.call} does.
 */
export async function runScript(
  connection: RedisConnection,
  script: RedisScript,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  const rest = [keys.length, ...keys, ...args];
  try {
    return await connection.call("EVALSHA", script.sha1, ...rest);
  } catch (error) {
    if (!(error instanceof RedisRefusal && error.code === "NOSCRIPT")) throw error;
    return await connection.call("EVAL", script.text, ...rest);
  }
}
