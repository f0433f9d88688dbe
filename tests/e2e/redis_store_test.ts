// The store against real servers: the suite of all stores, and what can go wrong at the start.

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { jobField } from "../../lib/delayed_leave/stores/job_record.ts";
import { REDIS_TIMES } from "../../lib/delayed_leave/stores/redis_times.ts";
import { StoreError } from "../../lib/delayed_leave/store.ts";
import { installTlsTrust } from "../../lib/net/tls_trust.ts";
import { createSystemClock } from "../../lib/system_clock.ts";
import {
  createJob,
  DEAF,
  type Entry,
  plain,
  type StorePlace,
  testStore,
} from "../delayed_leave/support/store_suite.ts";
import { startRawServer } from "../fakes/raw_server.ts";
import { createTestCa } from "../support/test_ca.ts";
import { freePorts } from "./support/ports.ts";
import { type RedisServer, startRedis } from "./support/redis.ts";
import { openLog, openStore, SHORT } from "./support/redis_world.ts";

const ca = await createTestCa();
const USER = ["lk-service", "it's 100% secret / @:"] as const;
/** What lk-jwt-service needs, and no more. */
const FOUR = "~lk-jwt:jobs resetchannels +ping +hset +hdel +hgetall";

let redis: RedisServer;
let valkey: RedisServer;
let secure: RedisServer;

Deno.test.beforeAll(async () => {
  const tls = await ca.issue(["localhost"]);
  [redis, valkey, secure] = await Promise.all([
    startRedis({ server: "redis", args: ["--maxmemory-policy", "noeviction"] }),
    startRedis({ server: "valkey" }),
    startRedis({ tls, password: USER[1] }),
  ]);
  for (const server of [redis, valkey]) {
    await server.command("ACL", "SETUSER", "four", "on", ">four", ...FOUR.split(" "));
    await server.command(
      ...["ACL", "SETUSER", USER[0], "on", `>${USER[1]}`, "~lk-jwt:jobs", "~matrixrtc-auth:*"],
      ...["&matrixrtc-auth:*", ..."+ping +select +eval +evalsha +publish +subscribe".split(" ")],
      ..."+hget +hset +hdel +hlen +hscan +hgetall +set +del +exists +pexpire".split(" "),
      ..."+sadd +srem +sismember +smembers".split(" "),
    );
  }
});

Deno.test.afterAll(async () => {
  for (const server of [redis, valkey, secure]) await server[Symbol.asyncDispose]();
});

/** An emptied server, spoken to in one of several ways. */
function place(
  server: () => RedisServer,
  urlOf: (server: RedisServer) => string,
  options: { password?: string; database?: number } = {},
) {
  return async (): Promise<StorePlace> => {
    const log = await openLog();
    const { password, database = 0 } = options;
    await server().command("FLUSHALL");
    return {
      clock: createSystemClock(),
      open: () =>
        openStore(urlOf(server()), log, {
          // Nothing here has to end early, and machines are busy at times.
          times: REDIS_TIMES,
          ...(password !== undefined && { password }),
          trust: installTlsTrust([], [ca.pem]),
        }),
      async insert(entries: readonly Entry[]) {
        await server().command("SELECT", database);
        for (const { room, identity, record } of entries) {
          await server().command("HSET", "lk-jwt:jobs", jobField(room, identity), record);
        }
      },
      async [Symbol.asyncDispose]() {
        assert(!(await log.logText()).includes("must be the only one") || password === "four");
      },
    };
  };
}

testStore("createRedisStore() with Redis", place(() => redis, ({ url }) => url));
testStore("createRedisStore() with Valkey", place(() => valkey, ({ url }) => url));
testStore(
  "createRedisStore() with Redis over TLS",
  place(() => secure, ({ url }) => url, { password: USER[1] }),
);
testStore(
  "createRedisStore() with Redis at a socket",
  place(() => redis, ({ socket }) => `unix://${socket}?db=3`, { database: 3 }),
);
testStore(
  "createRedisStore() with a user of Redis",
  place(() => redis, ({ port }) => `redis://${USER[0]}:wrong@127.0.0.1:${port}/5`, {
    password: USER[1],
    database: 5,
  }),
);
testStore(
  "createRedisStore() with a user of Valkey",
  place(
    () => valkey,
    ({ port }) =>
      `redis://${encodeURIComponent(USER[0])}:${encodeURIComponent(USER[1])}@127.0.0.1:${port}`,
  ),
);
for (const kind of ["redis", "valkey"]) {
  testStore(
    `createRedisStore() with four commands of ${kind}`,
    place(
      () => kind === "redis" ? redis : valkey,
      ({ port }) => `redis://four@127.0.0.1:${port}`,
      { password: "four" },
    ),
  );
}

/** What start() says, with all that it might have been told by mistake looked for. */
async function startError(url: string, options: Parameters<typeof openStore>[2] = {}) {
  const log = await openLog();
  const startedAt = performance.now();
  const store = openStore(url, log, options);
  const error = await assertRejects(() => store.start(DEAF), StoreError);
  assert(performance.now() - startedAt < 2_600);
  assert(!Deno.inspect(error).includes("hunter2"));
  assert(!(await log.logText()).includes("hunter2"));
  return error.message;
}

Deno.test("start() says that nothing listens at the port", async () => {
  const [port] = freePorts(1);
  const message = await startError(`redis://:hunter2@127.0.0.1:${port}`);
  assertStringIncludes(message, `127.0.0.1:${port} (ECONNREFUSED)`);
  assertStringIncludes(message, "check LIVEKIT_REDIS_URL");
});

Deno.test("start() says that there is no socket", async () => {
  const message = await startError("unix:///nowhere/redis.sock");
  assertStringIncludes(message, "Redis at /nowhere/redis.sock: cannot connect (ENOENT)");
});

Deno.test("start() says that a name has no address", async () => {
  const lookup = () => Promise.reject(Object.assign(new Error("none"), { code: "ENOTFOUND" }));
  assertStringIncludes(
    await startError("redis://cache.example", { lookup }),
    "cannot look up cache.example (ENOTFOUND)",
  );
});

for (const scheme of ["redis", "rediss"]) {
  Deno.test(`start() gives up on a server that takes connections and is silent, ${scheme}`, async () => {
    await using server = startRawServer({ handle: () => new Promise(() => {}) });
    const message = await startError(`${scheme}://:hunter2@127.0.0.1:${server.port}`);
    assertStringIncludes(message, `Redis at 127.0.0.1:${server.port} `);
    assertStringIncludes(message, scheme === "redis" ? "has not answered" : "cannot be connected");
  });
}

Deno.test("start() says that an HTTP server is no Redis", async () => {
  await using server = startRawServer({
    async handle(connection) {
      await connection.read(new Uint8Array(100));
      await connection.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
    },
  });
  const message = await startError(`redis://:hunter2@127.0.0.1:${server.port}`);
  assertStringIncludes(message, "does not speak Redis's protocol");
});

Deno.test("start() tells a wrong password from a missing one", async () => {
  const trust = installTlsTrust([], [ca.pem]);
  assertStringIncludes(
    await startError(secure.url, { password: "hunter2", trust }),
    "refuses user or password: check LIVEKIT_REDIS_URL and LIVEKIT_REDIS_PASSWORD (WRONGPASS)",
  );
  assertStringIncludes(
    await startError(secure.url, { trust }),
    "wants a password: set LIVEKIT_REDIS_PASSWORD (NOAUTH)",
  );
});

Deno.test("start() says which certificate it does not trust, unless told not to care", async () => {
  const other = startRedis({ tls: await (await createTestCa()).issue(["localhost"]) });
  await using server = await other;
  const message = await startError(server.url);
  assertStringIncludes(message, `no TLS with localhost`);
  assertStringIncludes(message, "MATRIXRTC_CA_FILE");
  const log = await openLog();
  const store = openStore(server.url, log, { insecureSkipVerifyTls: true });
  assertEquals(await store.start(DEAF), []);
  await store.close();
});

Deno.test("start() says that there is no such database", async () => {
  assertStringIncludes(await startError(`${redis.url}/99`), "has no database of this number");
});

Deno.test("start() says that the user may not even read the jobs", async () => {
  await redis.command("ACL", "SETUSER", "none", "on", ">hunter2", "~x", "+ping");
  const message = await startError(`redis://none:hunter2@127.0.0.1:${redis.port}`);
  assertStringIncludes(message, "does not allow HGETALL (NOPERM)");
});

Deno.test("start() says that another kind of value is in the place of the jobs", async () => {
  await redis.command("FLUSHALL");
  await redis.command("SET", "lk-jwt:jobs", "x");
  assertStringIncludes(await startError(redis.url), "keeps something else");
  await redis.command("FLUSHALL");
});

Deno.test("a password that the server does not want does no harm", async () => {
  const store = openStore(valkey.url, await openLog(), { password: "needless" });
  await store.start(DEAF);
  await store.close();
});

Deno.test("a full memory refuses a new job and lets an old one be removed", async () => {
  await redis.command("FLUSHALL");
  const log = await openLog();
  const store = openStore(redis.url, log);
  await store.start(DEAF);
  const stored = { job: createJob(), restartedAt: Date.now(), wasConnected: false };
  const other = { ...stored, job: createJob({ room: "other" as typeof stored.job.room }) };
  await store.write([{ kind: "put", stored }]);
  await redis.command("CONFIG", "SET", "maxmemory", "1");
  try {
    const error = await assertRejects(
      () => store.write([{ kind: "put", stored: other }, { kind: "remove", job: stored.job }]),
      StoreError,
      "has no memory left",
    );
    assert(!error.message.includes("syd_delay"));
    assertEquals(await redis.command("HLEN", "lk-jwt:jobs"), 0);
    // The lease goes on: it needs no memory.
    const until = performance.now() + SHORT.leaseMs;
    while (performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
    assertEquals(store.mayAct("send"), true);
    assert(!(await log.logText()).includes("cannot be used"));
  } finally {
    await redis.command("CONFIG", "SET", "maxmemory", "0");
  }
  assertEquals(await store.write([{ kind: "put", stored: other }]), ["kept"]);
  await store.close();
});

Deno.test("a job that cannot be read is kept apart, and counted in the log", async () => {
  await redis.command("FLUSHALL");
  await redis.command("HSET", "lk-jwt:jobs", "a", "{", "b", "\xff");
  const log = await openLog();
  const store = openStore(redis.url, log);
  assertEquals(await store.start(DEAF), []);
  await store.close();
  assertEquals(await redis.command("HLEN", "lk-jwt:jobs"), 0);
  assertEquals(await redis.command("HGET", "matrixrtc-auth:set-aside", "a"), "{");
  assertStringIncludes(await log.logText(), "matrixrtc-auth:set-aside count=2\n");
});

Deno.test("a field that another program escapes in its own way is taken over under ours", async () => {
  await redis.command("FLUSHALL");
  const job = createJob({
    identity: "@you&me:example.org:D" as ReturnType<typeof createJob>["identity"],
  });
  const record = JSON.stringify({
    Params: {
      DelayId: "syd_delay",
      DelayTimeout: 60e9,
      ServerName: "example.org",
      LiveKitRoom: job.room,
      LiveKitIdentity: job.identity,
    },
    RestartedAt: new Date().toISOString(),
  });
  await redis.command("HSET", "lk-jwt:jobs", JSON.stringify([job.room, job.identity]), record);
  const store = openStore(redis.url, await openLog());
  const stored = await store.start(DEAF);
  assertEquals(stored.map((one) => plain(one).identity), [job.identity]);
  assertEquals(await redis.command("HKEYS", "lk-jwt:jobs"), [jobField(job.room, job.identity)]);
  assertEquals(await redis.command("HLEN", "matrixrtc-auth:owners"), 1);
  await store.close();
});
