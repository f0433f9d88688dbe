import { startRedis } from "./redis.ts";

/** A store that outlives the service, see {@linkcode STORES}. */
export interface KeptJobs extends AsyncDisposable {
  /** The variables that make a service use it. */
  readonly env: Record<string, string>;
}

/** A kind of store that keeps jobs while no service runs. */
export interface Keeping {
  readonly name: string;
  /** How long the jobs of a service that was killed may wait for the next one. */
  readonly takeUpMs: number;
  /** Makes an empty one. */
  open(): Promise<KeptJobs>;
}

/** Whether a replica has died or is only slow shows when its lease ends. */
const LEASE_MS = 15_000;

/** The stores that keep jobs while no service runs. */
export const STORES: readonly Keeping[] = [
  { name: "SQLite", takeUpMs: 0, open: openSqlite },
  { name: "Redis", takeUpMs: LEASE_MS, open: openRedis },
  { name: "Valkey", takeUpMs: LEASE_MS, open: openValkey },
];

async function openSqlite(): Promise<KeptJobs> {
  const dir = await Deno.makeTempDir({ prefix: "matrixrtc-auth-state-" });
  return {
    env: { MATRIXRTC_STATE_DIR: dir },
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
}

async function openRedis(): Promise<KeptJobs> {
  const redis = await startRedis();
  return {
    env: { LIVEKIT_REDIS_URL: redis.url },
    [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose](),
  };
}

/** With a password, as one that other machines reach has it. */
async function openValkey(): Promise<KeptJobs> {
  const password = "made up for the tests: @/%";
  const valkey = await startRedis({ server: "valkey", password });
  return {
    env: { LIVEKIT_REDIS_URL: valkey.url, LIVEKIT_REDIS_PASSWORD: password },
    [Symbol.asyncDispose]: () => valkey[Symbol.asyncDispose](),
  };
}
