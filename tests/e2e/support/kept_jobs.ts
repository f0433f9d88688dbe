import { startRedis } from "./redis.ts";

/** A store that outlives the service, see {@linkcode STORES}. */
export interface KeptJobs extends AsyncDisposable {
  /** The variables that make a service use it. */
  readonly env: Record<string, string>;
}

/** The stores that keep jobs while no service runs, and how a test gets an empty one. */
export const STORES: readonly { name: string; open(): Promise<KeptJobs> }[] = [
  { name: "SQLite", open: openSqlite },
  { name: "Redis", open: openRedis },
  { name: "Valkey", open: openValkey },
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
