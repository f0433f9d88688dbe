/** G4: whether delayed leaves can be looked after: polling, and the store of jobs. */

import { join } from "node:path";
import { readRedisUrl } from "../../config/parse/parse_redis_url.ts";
import { storeKindOf } from "../../delayed_leave/stores/choose_store.ts";
import { JOBS_FILE_NAME } from "../../delayed_leave/stores/jobs_file.ts";
import { openRedis } from "../../delayed_leave/stores/redis_connection.ts";
import { UpstreamError } from "../../matrix/errors.ts";
import type { Finding } from "../check.ts";
import type { DoctorContext } from "../context.ts";

/** What was found. */
export interface StoreFacts {
  readonly kind: ReturnType<typeof storeKindOf>;
  /** Why it cannot be used. */
  readonly trouble?: string;
  readonly pollingSeconds: number;
}

const CONNECT_MS = 5_000;
const COMMAND_MS = 3_000;

/** Looks at the store, and changes nothing there. */
export async function lookAtStore(context: DoctorContext): Promise<StoreFacts> {
  const { config } = context;
  const kind = storeKindOf(config);
  const { sanityCheckIntervalSeconds: pollingSeconds, stateDir } = config.delegation;
  const trouble = kind === "redis"
    ? await askRedis(context)
    : kind === "file"
    ? lookAtFolder(stateDir!)
    : undefined;
  return { kind, pollingSeconds, ...trouble !== undefined && { trouble } };
}

async function askRedis(context: DoctorContext): Promise<string | undefined> {
  const { config: { delegation, insecureSkipVerifyTls } } = context;
  const { url, password } = delegation.redis!;
  try {
    const redis = await openRedis({
      ...context,
      address: readRedisUrl(url.reveal()),
      ...password && { password },
      insecureSkipVerifyTls,
      commandMs: COMMAND_MS,
      connectMs: CONNECT_MS,
    });
    try {
      await redis.call("PING");
    } finally {
      redis.close();
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    return error.message;
  }
}

/** Whether the folder is there and, where it holds jobs already, whether they can be written. */
function lookAtFolder(folder: string): string | undefined {
  try {
    if (!Deno.statSync(folder).isDirectory) return `${folder} is no folder`;
  } catch (error) {
    return `${folder} cannot be looked at (${(error as Error).name})`;
  }
  try {
    Deno.openSync(join(folder, JOBS_FILE_NAME), { read: true, write: true }).close();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    return `${join(folder, JOBS_FILE_NAME)} cannot be written to (${(error as Error).name})`;
  }
  return undefined;
}

/** Judges it. */
export function judgeStore({ kind, trouble, pollingSeconds }: StoreFacts): Finding {
  if (kind === "off") return { verdict: "SKIP", evidence: "delegation is off" };
  if (trouble !== undefined) {
    return {
      verdict: "FAIL",
      evidence: trouble,
      remedy: kind === "redis"
        ? "Start Redis, or correct LIVEKIT_REDIS_URL and LIVEKIT_REDIS_PASSWORD."
        : "Create the folder of MATRIXRTC_STATE_DIR for the service's user.",
    };
  }
  const kept = { redis: "in Redis", file: "in a file", memory: "in memory" }[kind];
  if (pollingSeconds === 0) {
    return {
      verdict: "WARN",
      evidence: `polling is off; jobs are kept ${kept}`,
      remedy: "Set LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS (30): what webhooks lose is found by it.",
    };
  }
  const forgets = kind === "memory" ? ", where a restart of the service forgets them" : "";
  return {
    verdict: "PASS",
    evidence: `polled every ${pollingSeconds} s; jobs are kept ${kept}${forgets}`,
  };
}
