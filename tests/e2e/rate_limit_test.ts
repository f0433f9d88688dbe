// Two services on one real Redis count together, and neither waits for it.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type RunningService, startService } from "../support/service.ts";
import { startFourCommands } from "./support/four_commands.ts";
import { startRedis } from "./support/redis.ts";

const CLIENT = "203.0.113.7";
const COST = 200;
const SHARED = "rate limits cannot be shared";

function start(redisUrl: string, env: Record<string, string> = {}): Promise<RunningService> {
  return startService({
    env: {
      LIVEKIT_URL: "ws://127.0.0.1:9",
      LIVEKIT_KEY: "devkey",
      LIVEKIT_SECRET: "a secret that all replicas have in common",
      LIVEKIT_FULL_ACCESS_HOMESERVERS: "example.org",
      LIVEKIT_JWT_BIND: "127.0.0.1:0",
      LIVEKIT_REDIS_URL: redisUrl,
      MATRIXRTC_RATE_LIMIT_PER_CLIENT: `${COST}/3600`,
      ...env,
    },
  });
}

/** Asks for the start page, which costs 1. */
async function ask({ url }: RunningService, client = CLIENT): Promise<number> {
  const response = await fetch(url, { headers: { "x-forwarded-for": client } });
  await response.body?.cancel();
  return response.status;
}

/** How often a client is answered before it is told to wait. */
async function allowed(service: RunningService, client = CLIENT): Promise<number> {
  for (let count = 0; count <= COST; count++) {
    if (await ask(service, client) === 429) return count;
  }
  throw new Error("the client is never told to wait");
}

/**
 * Resolves once Redis has these counts at least: they travel beside the requests, and who has
 * brought one there has been told the sum.
 */
async function counted(
  server: { command(command: string, ...args: string[]): Promise<unknown> },
  expected: readonly number[],
): Promise<void> {
  const wanted = expected.toSorted((a, b) => a - b);
  const deadline = performance.now() + 10_000;
  let counts: number[] = [];
  while (performance.now() < deadline) {
    const keys = await server.command("KEYS", "matrixrtc-auth:limit:client:*") as string[];
    counts = (await Promise.all(keys.map(async (key) => Number(await server.command("GET", key)))))
      .sort((a, b) => a - b);
    if (counts.length === wanted.length && wanted.every((count, n) => counts[n]! >= count)) return;
  }
  throw new Error(`Redis has ${counts} in place of ${wanted}`);
}

const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });

for (const kind of ["redis", "valkey"] as const) {
  test(`${kind}: replicas count together, and nobody finds addresses there`, async () => {
    await using server = await startRedis({ server: kind });
    await using a = await start(server.url);
    await using b = await start(server.url);
    for (let n = 0; n < 150; n++) assertEquals(await ask(a), 200);
    assertEquals(await ask(b), 200);
    await counted(server, [151]);
    // What is on its way from Redis it does not know yet.
    const rest = await allowed(b);
    assert(rest >= 49 && rest < 150, String(rest));
    // The other way round, and of one client nothing is put on another's account.
    const before = 151 + rest;
    for (let n = 0; n < 150; n++) assertEquals(await ask(b, "203.0.113.8"), 200);
    assertEquals(await ask(a, "203.0.113.8"), 200);
    await counted(server, [151, before]);
    const others = await allowed(a, "203.0.113.8");
    assert(others >= 49 && others < 150, String(others));

    const keys = await server.command("KEYS", "matrixrtc-auth:limit:*") as string[];
    assertEquals(keys.length, 2);
    for (const key of keys) {
      assertMatch(key, /^matrixrtc-auth:limit:client:[\w-]{22}$/);
      const ttl = Number(await server.command("TTL", key));
      assert(ttl > 3_500 && ttl <= 3_600, String(ttl));
    }
  });
}

test("while Redis is frozen or gone, requests are answered and counted as ever", async () => {
  await using server = await startRedis();
  await using service = await start(server.url);
  assertEquals(await ask(service, "203.0.113.1"), 200);
  server.kill("SIGSTOP");
  const startedAt = performance.now();
  assertEquals(await allowed(service), COST);
  // 200 requests: had each of them waited for Redis, this would take minutes.
  assert(performance.now() - startedAt < 20_000);
  await service.waitForLog(new RegExp(`${SHARED} through Redis, each replica counts for itself`));
  await server.stop();
  assertEquals(await allowed(service, "203.0.113.9"), COST);
  assertEquals(service.output.split(SHARED).length, 2);
});

test("where Redis may do no more than lk-jwt-service needs, each counts for itself", async () => {
  await using server = startFourCommands();
  await using service = await start(server.url);
  assertEquals(await allowed(service), COST);
  await service.waitForLog(new RegExp(`${SHARED}.*does not know EVAL`));
  assertEquals(await allowed(service, "203.0.113.9"), COST);
  assertEquals(service.output.split(SHARED).length, 2);
});

test("at a unix socket, and without delegation, replicas count together", async () => {
  await using server = await startRedis();
  const url = `unix://${server.socket}`;
  await using a = await start(url, { MATRIXRTC_DELEGATION: "off" });
  await using b = await start(url, { MATRIXRTC_DELEGATION: "off" });
  for (let n = 0; n < 150; n++) assertEquals(await ask(a), 200);
  assertEquals(await ask(b), 200);
  await counted(server, [151]);
  const rest = await allowed(b);
  assert(rest < 150, String(rest));
  assert(!a.output.includes(SHARED), a.output);
  assertEquals([await a.stop(), await b.stop()], [0, 0]);
});
