// Several stores on one real Redis or Valkey: whose a job is, and what happens when one of them, or
// Redis itself, goes, freezes or comes back.

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { jobKey, type StoredJob } from "../../lib/delayed_leave/job.ts";
import { readRedisUrl } from "../../lib/config/parse/parse_redis_url.ts";
import { jobField } from "../../lib/delayed_leave/stores/job_record.ts";
import type { ParticipantEvent } from "../../lib/delayed_leave/participant_event.ts";
import { openRedis } from "../../lib/delayed_leave/stores/redis_connection.ts";
import { RedisJobs } from "../../lib/delayed_leave/stores/redis_jobs.ts";
import { lookupAddresses } from "../../lib/net/dial.ts";
import { type JobStore, StoreError } from "../../lib/delayed_leave/store.ts";
import { Secret } from "../../lib/secret.ts";
import type { LiveKitIdentity } from "../../lib/signing/names.ts";
import { createSystemClock } from "../../lib/system_clock.ts";
import { createJob, plain } from "../delayed_leave/support/store_suite.ts";
import { startFourCommands } from "./support/four_commands.ts";
import { type RedisServer, startRedis } from "./support/redis.ts";
import { createEar, type Heard, openLog, openStore, SHORT } from "./support/redis_world.ts";

interface Replica extends AsyncDisposable {
  readonly store: JobStore;
  readonly stored: readonly StoredJob[];
  readonly heard: Heard;
  logText(): Promise<string>;
}

async function startReplica(
  server: RedisServer,
  options: Parameters<typeof openStore>[2] = {},
): Promise<Replica> {
  const log = await openLog();
  const store = openStore(server.url, log, options);
  const { listener, heard } = createEar();
  const stored = await store.start(listener);
  return {
    store,
    stored,
    heard,
    logText: log.logText,
    [Symbol.asyncDispose]: () => store.close(),
  };
}

/** A job of the past second, so that it is neither expired nor in the future. */
function createStored(name: string, delayId = `id of ${name}`): StoredJob {
  const identity = name as LiveKitIdentity;
  const job = createJob({ identity, delayId: new Secret(delayId) });
  return { job, restartedAt: Date.now() - 10, wasConnected: true };
}

/** The real clock, until it dies: then nothing that waits for it happens any more. */
function createMortalClock() {
  const clock = createSystemClock();
  let isDead = false;
  return {
    clock: {
      ...clock,
      after: (ms: number, action: () => void) => clock.after(ms, () => isDead || action()),
    },
    die: () => isDead = true,
  };
}

const keyOf = ({ job }: StoredJob) => jobKey(job.room, job.identity);
const put = (stored: StoredJob) => ({ kind: "put" as const, stored });
const update = (stored: StoredJob) => ({ kind: "update" as const, stored });
const EVENT: ParticipantEvent = {
  kind: "left",
  room: "room",
  identity: "@a:b",
  sid: "PA_1",
  reason: "CLIENT_INITIATED",
};
const owners = (server: RedisServer, command = "HLEN") =>
  server.command(command, "matrixrtc-auth:owners");
const jobs = (server: RedisServer) => server.command("HLEN", "lk-jwt:jobs");

for (const kind of ["redis", "valkey"] as const) {
  const test = (name: string, action: (server: RedisServer) => Promise<void>) =>
    Deno.test(`${kind}: ${name}`, async () => {
      await using server = await startRedis({ server: kind });
      await action(server);
    });

  test("a put takes the job from the replica that had it, which is told", async (server) => {
    await using a = await startReplica(server);
    await using b = await startReplica(server);
    const [older, newer] = [createStored("alice"), createStored("alice", "newer")];
    const other = createStored("bob");
    await a.store.write([put(older), put(other)]);
    assertEquals(await b.store.write([put(newer)]), ["kept"]);
    await a.heard.until(({ lost }) => lost.length > 0);
    assertEquals(a.heard.lost, [keyOf(older)]);
    assertEquals(
      await a.store.write([update(older), { kind: "remove", job: older.job }, update(other)]),
      ["lost", "lost", "kept"],
    );
    assertEquals(await jobs(server), 2);
    assertEquals(await b.store.write([{ kind: "remove", job: newer.job }]), ["kept"]);
    assertEquals([await jobs(server), await owners(server)], [1, 1]);
  });

  test("a replica that has not heard of its loss yet changes nothing", async (server) => {
    await using a = await startReplica(server);
    await using b = await startReplica(server);
    const older = createStored("alice");
    await a.store.write([put(older)]);
    // Of the same event: the owner alone makes the difference.
    await b.store.write([put(createStored("alice"))]);
    // Sent before the message can have been heard.
    assertEquals(await a.store.write([update(older)]), ["lost"]);
    assertEquals(await jobs(server), 1);
  });

  test("each task falls to one of the replicas there are", async (server) => {
    const tasks = Array.from({ length: 100 }, (_, n) => `room ${n}`);
    const takenBy = ({ store }: Replica) => tasks.filter((task) => store.fallsToThis(task));
    const until = async (condition: () => boolean) => {
      while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await using a = await startReplica(server);
    assertEquals(takenBy(a), tasks);
    const b = await startReplica(server);
    await until(() => takenBy(a).length < tasks.length && takenBy(b).length < tasks.length);
    assertEquals([...takenBy(a), ...takenBy(b)].toSorted(), tasks.toSorted());
    assert(Math.abs(takenBy(a).length - 50) < 30, `${takenBy(a).length}`);
    await b.store.close();
    await until(() => takenBy(a).length === tasks.length);
  });

  test("the jobs of a replica that closes are taken at once", async (server) => {
    // Nobody would notice by itself.
    const times = { leaseMs: 60_000, renewMs: 20_000, scanMs: 60_000 };
    await using a = await startReplica(server, { times });
    await using b = await startReplica(server, { times });
    const stored = createStored("alice");
    await a.store.write([put(stored)]);
    const closedAt = performance.now();
    await a.store.close();
    await b.heard.until(({ taken }) => taken.length > 0);
    assert(performance.now() - closedAt < 2_000);
    assertEquals(b.heard.taken.map(plain), [plain(stored)]);
    assertEquals(await b.store.write([update(b.heard.taken[0]!)]), ["kept"]);
    assertStringIncludes(await b.logText(), "jobs that no replica ran any more are run here");
  });

  test("the jobs of a replica that dies are shared by the others, each taken once", async (server) => {
    const count = 5_000;
    const { clock, die } = createMortalClock();
    await using a = await startReplica(server, { clock });
    await a.store.write(Array.from({ length: count }, (_, n) => put(createStored(`user ${n}`))));
    await using b = await startReplica(server);
    await using c = await startReplica(server);
    await using d = await startReplica(server);
    const survivors = [b, c, d];
    for (const { stored } of survivors) assertEquals(stored.length, 0);
    // What a SIGKILL leaves is a replica that gives no sign of life, and says nothing.
    const diedAt = performance.now();
    die();
    const taken = () => survivors.flatMap(({ heard }) => heard.taken);
    await Promise.any(survivors.map(({ heard }) => heard.until(() => taken().length >= count)));
    assert(performance.now() - diedAt < SHORT.leaseMs + 2 * SHORT.renewMs + 5_000);
    assertEquals(new Set(taken().map(keyOf)).size, count);
    assertEquals(taken().length, count);
    // Who comes first gets most, on a busy machine, and yet not all.
    assert(survivors.filter(({ heard }) => heard.taken.length > 0).length >= 2);
    assertEquals(await owners(server), count);
  });

  test("an event reaches exactly the others", async (server) => {
    await using a = await startReplica(server);
    // Alone, there is nobody to tell and nothing to ask.
    await a.store.pass(EVENT);
    await using b = await startReplica(server);
    await using c = await startReplica(server);
    await c.store.pass({ ...EVENT, kind: "joined" });
    for (const { heard } of [a, b]) await heard.until(({ events }) => events.length === 1);
    await a.store.pass(EVENT);
    for (const { heard } of [b, c]) {
      await heard.until(({ events }) => events.at(-1)?.kind === "left");
    }
    assertEquals(a.heard.events, [{ ...EVENT, kind: "joined" }]);
    assertEquals(b.heard.events, [{ ...EVENT, kind: "joined" }, EVENT]);
    assertEquals(c.heard.events, [EVENT]);
  });

  test("databases of one server do not hear one another", async (server) => {
    const log = await openLog();
    const [a, b] = [createEar(), createEar()];
    const stores = [openStore(`${server.url}/1`, log), openStore(`${server.url}/2`, log)] as const;
    await stores[0].start(a.listener);
    await stores[1].start(b.listener);
    await using c = await startReplica({ ...server, url: `${server.url}/1` });
    await c.store.pass(EVENT);
    await a.heard.until(({ events }) => events.length === 1);
    assertEquals(b.heard.events, []);
    for (const store of stores) await store.close();
  });

  test("a job that another program has put in the place of ours is not removed with it", async (server) => {
    await using a = await startReplica(server);
    const stored = createStored("alice");
    await a.store.write([put(stored)]);
    const field = jobField(stored.job.room, stored.job.identity);
    const text = String(await server.command("HGET", "lk-jwt:jobs", field));
    await server.command("HSET", "lk-jwt:jobs", field, text.replace("id of alice", "newer"));
    await a.store.write([{ kind: "remove", job: stored.job }]);
    await a.heard.until(({ taken }) => taken.length > 0);
    assertEquals(a.heard.taken.map(({ job }) => job.delayId.reveal()), ["newer"]);
  });

  test("nothing is taken from a replica that one has not heard of yet", async (server) => {
    await using a = await startReplica(server);
    const stored = createStored("alice");
    await a.store.write([put(stored)]);
    const { clock } = createMortalClock();
    const connection = await openRedis({
      address: readRedisUrl(server.url),
      lookup: lookupAddresses,
      trust: { ca: [] },
      insecureSkipVerifyTls: false,
      clock,
      commandMs: 1_000,
      connectMs: 1_000,
    });
    const { log } = await openLog();
    const jobs = new RedisJobs({ id: "b", channel: "none", clock, log });
    const fields = [jobField(stored.job.room, stored.job.identity)];
    assertEquals(await jobs.claim(connection, fields, ["b"]), undefined);
    const [id] = await server.command("SMEMBERS", "matrixrtc-auth:replicas") as [string];
    assertEquals(await jobs.claim(connection, fields, ["b", id]), []);
    await server.command("DEL", `matrixrtc-auth:replica:${id}`);
    assertEquals((await jobs.claim(connection, fields, ["b", id]))?.map(plain), [plain(stored)]);
    connection.close();
  });

  test("jobs that another program writes meanwhile are found", async (server) => {
    await using a = await startReplica(server);
    const { job } = createStored("alice");
    const record = JSON.stringify({
      Params: {
        DelayId: "syd",
        DelayTimeout: 60e9,
        ServerName: "example.org",
        LiveKitRoom: job.room,
        LiveKitIdentity: job.identity,
      },
      RestartedAt: new Date().toISOString(),
    });
    await server.command("HSET", "lk-jwt:jobs", jobField(job.room, job.identity), record);
    await a.heard.until(({ taken }) => taken.length > 0);
    assertEquals(a.heard.taken.map(keyOf), [jobKey(job.room, job.identity)]);
  });

  test("Redis comes back empty: all is written anew, and is whose it was", async (server) => {
    await using a = await startReplica(server);
    await using b = await startReplica(server);
    const [one, two] = [createStored("alice"), createStored("bob")];
    await a.store.write([put(one)]);
    await b.store.write([put(two)]);
    await server.stop();
    await assertRejects(() => a.store.write([update(one)]), StoreError);
    assertEquals(a.store.mayAct("restart"), true);
    await server.restart();
    for (const { heard } of [a, b]) await heard.until(({ recovered }) => recovered > 0);
    assertEquals(await a.store.write([update(one)]), ["kept"]);
    assertEquals(await b.store.write([update(two)]), ["kept"]);
    assertEquals([await jobs(server), await owners(server)], [2, 2]);
    assertEquals([a.heard.lost, b.heard.lost, a.heard.taken, b.heard.taken], [[], [], [], []]);
    assertEquals([a.store.mayAct("send"), b.store.mayAct("send")], [true, true]);
    // There is one log in a process: it has a line of the outage and one of its end for each.
    const lines = (await b.logText()).split("\n").filter((line) => line.includes("Redis can"));
    assertEquals(lines.map((line) => line.split(" ")[1]).sort(), [
      "INFO",
      "INFO",
      "WARNING",
      "WARNING",
    ]);
  });

  test("FLUSHALL in operation: all is written anew", async (server) => {
    await using a = await startReplica(server);
    const stored = createStored("alice");
    await a.store.write([put(stored)]);
    await server.command("FLUSHALL");
    await a.heard.until(({ recovered }) => recovered > 0);
    assertEquals(await a.store.write([update(stored)]), ["kept"]);
    assertEquals([await jobs(server), await owners(server)], [1, 1]);
  });

  test("a frozen Redis holds back sends while others are known, for a while", async (server) => {
    await using a = await startReplica(server);
    await using b = await startReplica(server);
    const stored = createStored("alice");
    await a.store.write([put(stored)]);
    server.kill("SIGSTOP");
    const frozenAt = performance.now();
    await assertRejects(() => a.store.write([update(stored)]), StoreError, "has not answered");
    await assertRejects(() => a.store.pass(EVENT), StoreError);
    const held = await whenever(() => !a.store.mayAct("send"));
    assert(a.store.mayAct("restart"));
    await whenever(() => a.store.mayAct("send"));
    const ms = performance.now();
    assert(held - frozenAt > SHORT.leaseMs - SHORT.renewMs - 50, `${held - frozenAt}`);
    const heldUntil = ms - frozenAt - SHORT.leaseMs - SHORT.holdMs;
    assert(heldUntil > -SHORT.renewMs - 100 && heldUntil < 1_500, `${heldUntil}`);
    server.kill("SIGCONT");
    await a.heard.until(({ recovered }) => recovered > 0);
    assertEquals(await a.store.write([update(stored)]), ["kept"]);
    assertEquals(a.store.mayAct("send"), true);
    assertEquals(b.heard.taken, []);
  });

  test("a forged message of a loss, and what is none, change nothing", async (server) => {
    await using a = await startReplica(server);
    const [stored, other] = [createStored("alice"), createStored("bob")];
    await a.store.write([put(stored), put(other)]);
    const fields = [stored, other].map(({ job }) => jobField(job.room, job.identity));
    const id = await server.command("HGET", "matrixrtc-auth:owners", fields[0]!);
    await server.command("HSET", "matrixrtc-auth:owners", fields[1]!, "somebody");
    const channel = "matrixrtc-auth:replicas:0";
    for (const text of ["", "{", "null", '{"kind":"gone"}']) {
      await server.command("PUBLISH", channel, text);
    }
    const lost = { kind: "lost", from: "x", to: id, fields: [...fields, "[]"] };
    assertEquals(await server.command("PUBLISH", channel, JSON.stringify(lost)), 1);
    // Redis is asked: one of them is another's indeed.
    await a.heard.until(({ lost }) => lost.length > 0);
    assertEquals(a.heard.lost, [keyOf(other)]);
    assertEquals(await a.store.write([update(stored), update(other)]), ["kept", "lost"]);
  });

  test("close() does not wait for a frozen Redis, whose others take over later", async (server) => {
    await using a = await startReplica(server);
    const stored = createStored("alice");
    await a.store.write([put(stored)]);
    server.kill("SIGSTOP");
    const startedAt = performance.now();
    await a.store.close();
    assert(performance.now() - startedAt < 1_200);
    server.kill("SIGCONT");
    await using b = await startReplica(server);
    if (b.stored.length === 0) await b.heard.until(({ taken }) => taken.length > 0);
  });

  test("what is allowed later is used after the next connection", async (server) => {
    const acl = (...rules: string[]) =>
      server.command("ACL", "SETUSER", "lk", "on", ">x", ...rules);
    await acl("~lk-jwt:jobs", "resetchannels", "+ping", "+hset", "+hdel", "+hgetall");
    const url = `redis://lk:x@127.0.0.1:${server.port}`;
    await using a = await startReplica({ ...server, url });
    const stored = createStored("alice");
    await a.store.write([put(stored)]);
    assertEquals(await owners(server), 0);
    await acl("~*", "&*", "+@all");
    await server.command("CLIENT", "KILL", "USER", "lk");
    await a.heard.until(({ recovered }) => recovered > 0);
    assertEquals(await a.store.write([update(stored)]), ["kept"]);
    assertEquals(await owners(server), 1);
    await using b = await startReplica(server);
    assertEquals(b.stored, []);
  });

  test("a frozen Redis holds nothing back from the only replica", async (server) => {
    await using a = await startReplica(server);
    server.kill("SIGSTOP");
    const until = performance.now() + SHORT.leaseMs + 200;
    while (performance.now() < until) {
      assert(a.store.mayAct("send") && a.store.mayAct("restart"));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    server.kill("SIGCONT");
    await a.heard.until(({ recovered }) => recovered > 0);
  });

  test("a server that keeps its data on disk is gone on with after its restart", async () => {
    await using server = await startRedis({ server: kind, persistent: true });
    await using a = await startReplica(server);
    const stored = createStored("alice");
    await a.store.write([put(stored)]);
    await server.stop("SIGTERM");
    await server.restart();
    await a.heard.until(({ recovered }) => recovered > 0);
    assertEquals(await jobs(server), 1);
    assertEquals(await a.store.write([update(stored)]), ["kept"]);
  });
}

/** Waits for what no event tells: the passing of time. Returns when it was. */
async function whenever(condition: () => boolean): Promise<number> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
  return performance.now();
}

/** A replica with two jobs in a process of its own, to be stopped, woken and killed. */
async function startProcess(server: RedisServer) {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "tools/deno.ts",
      "run",
      "-A",
      "tests/e2e/support/replica_process.ts",
      server.url,
    ],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const waitFor = async (pattern: RegExp): Promise<string> => {
    while (true) {
      const match = pattern.exec(text);
      if (match !== null) return match[1] ?? "";
      const { value, done } = await lines.read();
      if (done) throw new Error(`no ${pattern} in ${text}`);
      text += value;
    }
  };
  let pid = 0;
  const end = async () => {
    // The process itself, not what started it.
    if (pid > 0) Deno.kill(pid, "SIGKILL");
    else child.kill("SIGKILL");
    await lines.cancel();
    await child.status;
  };
  try {
    pid = Number(await waitFor(/started (\d+)\n/));
  } catch (error) {
    await end();
    throw error;
  }
  let isEnded = false;
  return {
    waitFor,
    /** What was said so far does not count any more. */
    forget: () => text = "",
    signal: (signal: Deno.Signal) => Deno.kill(pid, signal),
    async kill() {
      if (isEnded) return;
      isEnded = true;
      await end();
    },
    async [Symbol.asyncDispose]() {
      await this.kill();
    },
  };
}

Deno.test("a process that was stopped for longer than its lease may do nothing until Redis has spoken", async () => {
  await using server = await startRedis();
  await using process = await startProcess(server);
  await using b = await startReplica(server);
  process.signal("SIGSTOP");
  const stoppedAt = performance.now();
  await b.heard.until(({ taken }) => taken.length === 2);
  // One of the two has come to its end meanwhile.
  await b.store.write([{ kind: "remove", job: b.heard.taken[0]!.job }]);
  // Its last sign of life may have been a little before; it tells a gap of a whole lease.
  await whenever(() => performance.now() - stoppedAt > SHORT.leaseMs + 50);
  // Nothing that it says before this was said after it woke.
  process.forget();
  process.signal("SIGCONT");
  // It looks, synchronously, at each of its moments whether it may send.
  assertEquals(await process.waitFor(/first after the gap: (\S+)\n/), "false,false");
  assertEquals(await process.waitFor(/lost (.*)\n/), "2");
  assertEquals(await process.waitFor(/acting again after losing (\d+)\n/), "2");
});

Deno.test("the next process has the jobs of one that was killed as soon as it has started", async () => {
  await using server = await startRedis();
  await using process = await startProcess(server);
  await process.kill();
  // A lease that would last longer than this test does.
  await server.command("SET", `matrixrtc-auth:replica:${await ownerOf(server)}`, "1", "EX", "600");
  await using b = await startReplica(server);
  assertEquals(b.stored.length, 2);
});

Deno.test("the next process leaves the jobs of one that is only slow alone", async () => {
  await using server = await startRedis();
  await using process = await startProcess(server);
  process.signal("SIGSTOP");
  await server.command("SET", `matrixrtc-auth:replica:${await ownerOf(server)}`, "1", "EX", "600");
  await using b = await startReplica(server);
  assertEquals(b.stored.length, 0);
  process.signal("SIGCONT");
});

Deno.test("the next process finds the killed one among those that live", async () => {
  await using server = await startRedis();
  await using a = await startReplica(server);
  await a.store.write([put(createStored("carol"))]);
  await using process = await startProcess(server);
  await process.kill();
  for (const id of await owners(server, "HVALS") as string[]) {
    await server.command("SET", `matrixrtc-auth:replica:${id}`, "1", "EX", "600");
  }
  await using b = await startReplica(server);
  assertEquals(b.stored.map(({ job }) => job.identity as string).sort(), ["alice", "bob"]);
});

async function ownerOf(server: RedisServer): Promise<string> {
  const [id] = await owners(server, "HVALS") as string[];
  return id!;
}

Deno.test("a server with four commands is enough for one replica, which says so once", async () => {
  await using server = startFourCommands();
  const log = await openLog();
  const { listener, heard } = createEar();
  const store = openStore(server.url, log);
  assertEquals(await store.start(listener), []);
  const [one, two] = [createStored("alice"), createStored("bob")];
  assertEquals(await store.write([put(one), put(two)]), ["kept", "kept"]);
  assertEquals(await store.write([{ kind: "remove", job: one.job }]), ["kept"]);
  assertEquals(server.jobs.size, 1);
  await store.pass(EVENT);
  assertEquals([store.mayAct("send"), store.mayAct("restart")], [true, true]);
  server.dropConnections();
  await heard.until(({ recovered }) => recovered > 0);
  assertEquals(await store.write([update(two)]), ["kept"]);
  await store.close();
  const again = openStore(server.url, log);
  assertEquals((await again.start(listener)).map(plain), [plain(two)]);
  await again.close();
  const warnings = (await log.logText()).split("\n").filter((line) => line.includes("only one"));
  assertEquals(warnings.length, 2);
  assertStringIncludes(warnings[0]!, "&matrixrtc-auth:*");
  assertEquals(server.unknown.has("CLIENT"), false);
});

Deno.test("after a jump of the clock, Redis is asked before anything is done; the only replica goes on", async () => {
  await using server = await startRedis();
  await using lone = startFourCommands();
  const real = createSystemClock();
  let jump = 0;
  const clock = { ...real, now: () => real.now() + jump };
  await using a = await startReplica(server, { clock });
  const b = openStore(lone.url, await openLog(), { clock });
  await b.start(createEar().listener);
  for (const ms of [3_600_000, -3_600_000, 3_600_000]) {
    jump += ms;
    assertEquals([a.store.mayAct("restart"), a.store.mayAct("send")], [ms < 0, ms < 0]);
    assertEquals([b.mayAct("restart"), b.mayAct("send")], [true, true]);
    await whenever(() => a.store.mayAct("restart") && a.store.mayAct("send"));
  }
  assertEquals([a.heard.lost, a.heard.recovered], [[], 0]);
  await b.close();
});

Deno.test("a connection on which nothing arrives any more is replaced", async () => {
  await using server = startFourCommands();
  const store = openStore(server.url, await openLog());
  const { listener, heard } = createEar();
  await store.start(listener);
  server.mute();
  await heard.until(({ recovered }) => recovered > 0);
  assertEquals(await store.write([put(createStored("alice"))]), ["kept"]);
  await store.close();
});

Deno.test("a server that is still loading its data is waited for", async () => {
  await using server = startFourCommands({ loadingFor: 3 });
  const store = openStore(server.url, await openLog());
  assertEquals(await store.start(createEar().listener), []);
  await store.close();
});

Deno.test("a server that loads its data for too long is an error", async () => {
  await using server = startFourCommands({ loadingFor: Infinity });
  const store = openStore(server.url, await openLog(), { times: { startMs: 600 } });
  await assertRejects(
    () => store.start(createEar().listener),
    StoreError,
    `Redis at 127.0.0.1:${new URL(server.url).port} is not ready after 0.6 s`,
  );
});
