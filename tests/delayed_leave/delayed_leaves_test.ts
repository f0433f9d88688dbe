import { assertEquals, assertRejects } from "@std/assert";
import { getLogger } from "@logtape/logtape";
import {
  createDelayedLeaves,
  type DelayedLeavesOptions,
} from "../../lib/delayed_leave/delayed_leaves.ts";
import type { HomeserverAction } from "../../lib/delayed_leave/homeserver_action.ts";
import { type Job, type JobKey, jobKey, type StoredJob } from "../../lib/delayed_leave/job.ts";
import type { ParticipantEvent } from "../../lib/delayed_leave/participant_event.ts";
import type { Sighting } from "../../lib/delayed_leave/sfu_view.ts";
import { type JobStore, StoreError, type StoreListener } from "../../lib/delayed_leave/store.ts";
import { WatchedJobsByRoom } from "../../lib/delayed_leave/watched_jobs.ts";
import { LimitExceededError } from "../../lib/matrix/errors.ts";
import { Secret } from "../../lib/secret.ts";
import { hashedIdentity, legacyIdentity, liveKitRoom } from "../../lib/signing/names.ts";
import { createManualClock } from "../support/manual_clock.ts";
import { settle } from "./support/settle.ts";

const ALICE = "@alice:example.org";
const ROOM = liveKitRoom("!room:example.org", "m.call#ROOM");
const HASHED = hashedIdentity(ALICE, "DEVICE", "member");
const LEGACY = legacyIdentity(ALICE, "DEVICE");
const TIMEOUT_MS = 5_000;

function createJob(fields: Partial<Job> & { id?: string } = {}): Job {
  const { id = "delay", ...rest } = fields;
  return {
    room: ROOM,
    identity: HASHED,
    otherIdentity: LEGACY,
    delayId: new Secret(id),
    delayTimeoutMs: 60_000,
    serverName: "example.org",
    userId: ALICE,
    ...rest,
  };
}

/** Jobs between a store, an SFU and a homeserver that do as they are told. */
function createWorld(kept: readonly StoredJob[] = []) {
  const clock = createManualClock();
  /** What a store that never fails would hold, by participant. */
  const records = new Map<JobKey, StoredJob>(kept.map((stored) => [keyOf(stored.job), stored]));
  const actions: HomeserverAction[] = [];
  const passed: ParticipantEvent[] = [];
  const writes: string[] = [];
  const settings: { sighting: Sighting; put?: (job: Job) => Promise<void> } = {
    sighting: { kind: "absent" },
  };
  let listener: StoreListener | undefined;
  let isStoreClosed = false;
  let tellLost: (keys: readonly JobKey[]) => void = () => {};
  const note = (what: string, job: Job) => writes.push(`${what} ${job.delayId.reveal()}`);

  const store: JobStore = {
    start(value) {
      listener = value;
      return Promise.resolve(kept);
    },
    write: () => Promise.reject(new Error("only the writer writes")),
    pass(event) {
      passed.push(event);
      return Promise.resolve();
    },
    mayAct: () => true,
    fallsToThis: () => true,
    close() {
      isStoreClosed = true;
      return Promise.resolve();
    },
  };
  const createWriter: DelayedLeavesOptions["createWriter"] = (onLost) => {
    tellLost = onLost;
    return {
      async put(stored) {
        note("put", stored.job);
        await settings.put?.(stored.job);
        records.set(keyOf(stored.job), stored);
      },
      update(stored) {
        note("update", stored.job);
        records.set(keyOf(stored.job), stored);
      },
      remove(job) {
        note("remove", job);
        if (records.get(keyOf(job))?.job === job) records.delete(keyOf(job));
      },
      flush: () => Promise.resolve(),
    };
  };
  const watched = new WatchedJobsByRoom();
  const heard: ParticipantEvent[] = [];
  const leaves = createDelayedLeaves({
    store,
    createWriter,
    watched,
    onEvent: (event) => heard.push(event),
    clock,
    log: getLogger("tests"),
    random: () => 0.5,
    perform: (action) => {
      actions.push(action);
      return Promise.resolve("done");
    },
    sfu: { look: () => Promise.resolve(settings.sighting) },
  });
  return {
    clock,
    heard,
    leaves,
    passed,
    records,
    settings,
    watched,
    writes,
    get acts() {
      return actions.map(({ act, job }) => `${act} ${job.delayId.reveal()}`);
    },
    get listener() {
      return listener!;
    },
    get isStoreClosed() {
      return isStoreClosed;
    },
    /** The delay IDs of what is kept. */
    get kept() {
      return [...records.values()].map(({ job }) => job.delayId.reveal()).sort();
    },
    lose: (job: Job) => tellLost([keyOf(job)]),
    async start() {
      await leaves.start();
      await settle();
    },
    async delegate(job: Job) {
      await leaves.delegate(job, TIMEOUT_MS);
      await settle();
    },
    async tell(event: Partial<ParticipantEvent> & Pick<ParticipantEvent, "kind">) {
      await leaves.onEvent({ room: ROOM, identity: HASHED, reason: "UNKNOWN_REASON", ...event });
      await settle();
    },
    async pass(ms: number) {
      for (let left = ms; left > 0;) {
        const next = Math.max(Math.min(left, clock.pending[0] ?? left), 0);
        clock.advance(next);
        left -= next;
        await settle();
      }
    },
  };
}

function keyOf({ room, identity }: Job): JobKey {
  return jobKey(room, identity);
}

const HUNG_UP = { kind: "left", sid: "PA_1", reason: "CLIENT_INITIATED" } as const;

Deno.test("delegate() keeps a job before it resolves, and the job runs", async () => {
  const world = createWorld();
  await world.start();
  const keeping = Promise.withResolvers<void>();
  world.settings.put = () => keeping.promise;
  let isDone = false;
  const delegating = world.leaves.delegate(createJob(), TIMEOUT_MS).then(() => isDone = true);
  await settle();
  assertEquals([isDone, world.leaves.count, world.writes], [false, 0, ["put delay"]]);
  keeping.resolve();
  await delegating;
  assertEquals([isDone, world.leaves.count], [true, 1]);
  await world.tell({ kind: "joined", sid: "PA_1" });
  assertEquals(world.acts, ["restart delay"]);
  await world.tell(HUNG_UP);
  assertEquals([world.acts.at(-1), world.leaves.count, world.kept], ["send delay", 0, []]);
  assertEquals([...world.watched.rooms()], []);
});

for (const state of ["waiting", "connected"] as const) {
  Deno.test(`delegate() replaces a ${state} job without a word`, async () => {
    const world = createWorld();
    await world.start();
    await world.delegate(createJob({ id: "old" }));
    if (state === "connected") await world.tell({ kind: "joined", sid: "PA_1" });
    const before = world.acts.length;
    await world.delegate(createJob({ id: "new" }));
    assertEquals([world.leaves.count, world.kept, world.acts.length], [1, ["new"], before]);

    world.settings.sighting = { kind: "present", sid: "PA_1", identity: HASHED };
    await world.pass(300_000);
    assertEquals(new Set(world.acts.slice(before)), new Set(["restart new"]));
    assertEquals(world.kept, ["new"]);
    await world.tell(HUNG_UP);
    assertEquals([world.acts.at(-1), world.kept, world.clock.pending], ["send new", [], []]);
  });
}

Deno.test("delegate() does not let an old job that ends now remove its successor", async () => {
  const world = createWorld();
  await world.start();
  await world.delegate(createJob({ id: "old" }));
  await world.tell({ kind: "joined", sid: "PA_1" });
  const keeping = Promise.withResolvers<void>();
  world.settings.put = () => keeping.promise;
  const delegating = world.leaves.delegate(createJob({ id: "new" }), TIMEOUT_MS);
  await settle();
  // The participant hangs up while the store takes its time: the old job ends by itself.
  await world.tell(HUNG_UP);
  assertEquals(world.acts, ["restart old", "send old"]);
  keeping.resolve();
  await delegating;
  await settle();
  assertEquals([world.leaves.count, world.kept], [1, ["new"]]);
});

for (const [first, second] of [[HASHED, LEGACY], [LEGACY, HASHED]] as const) {
  const name = first === HASHED ? "hashed, then plain" : "plain, then hashed";
  Deno.test(`delegate() runs one job for one event under two identities: ${name}`, async () => {
    const world = createWorld();
    await world.start();
    await world.delegate(createJob({ identity: first, otherIdentity: second }));
    await world.tell({ kind: "joined", sid: "PA_1", identity: first });
    await world.delegate(createJob({ identity: second, otherIdentity: first }));
    assertEquals([world.leaves.count, [...world.records.keys()]], [1, [jobKey(ROOM, second)]]);
    await world.tell({ kind: "joined", sid: "PA_1", identity: first });
    await world.tell({ ...HUNG_UP, identity: first });
    assertEquals(world.acts, ["restart delay", "restart delay", "send delay"]);
    assertEquals([world.leaves.count, world.kept, world.clock.pending], [0, [], []]);
  });
}

Deno.test("delegate() leaves the job of another event under the other identity alone", async () => {
  const world = createWorld();
  await world.start();
  await world.delegate(createJob({ id: "a", identity: HASHED, otherIdentity: LEGACY }));
  await world.delegate(createJob({ id: "b", identity: LEGACY, otherIdentity: HASHED }));
  assertEquals([world.leaves.count, world.kept], [2, ["a", "b"]]);
});

for (const identity of [HASHED, LEGACY]) {
  const name = identity === HASHED ? "own" : "other";
  Deno.test(`onEvent() finds a job by its ${name} identity`, async () => {
    const world = createWorld();
    await world.start();
    await world.delegate(createJob());
    await world.tell({ kind: "joined", sid: "PA_1", identity });
    await world.tell({ ...HUNG_UP, identity });
    assertEquals([world.acts, world.passed], [["restart delay", "send delay"], []]);
    // Nothing of it is left to be found.
    await world.tell({ kind: "joined", sid: "PA_1", identity });
    assertEquals([world.acts.length, world.passed.length], [2, 1]);
  });
}

Deno.test("onEvent() passes on what concerns nobody here", async () => {
  const world = createWorld();
  await world.start();
  await world.delegate(createJob());
  const elsewhere = liveKitRoom("!other:example.org", "m.call#ROOM");
  await world.tell({ kind: "joined", sid: "PA_1", room: elsewhere });
  await world.tell({ kind: "joined", sid: "PA_1", identity: "@bob:example.org:DEVICE" });
  assertEquals([world.passed.length, world.acts], [2, []]);
  // Whoever polls learns of it all the same.
  assertEquals(world.heard.length, 2);
});

Deno.test("onEvent() tells when another replica could not be told", async () => {
  const world = createWorld();
  await world.start();
  const { leaves } = world;
  const error = new StoreError("tcp", "no store");
  world.passed.push = () => {
    throw error;
  };
  const event = { kind: "joined", room: ROOM, identity: HASHED, reason: "" } as const;
  assertEquals(await assertRejects(() => leaves.onEvent(event), StoreError), error);
});

Deno.test("delegate() takes 32 jobs of a user and no more", async () => {
  const world = createWorld();
  await world.start();
  const jobAt = (n: number, id = String(n)) =>
    createJob({ id, identity: legacyIdentity(ALICE, `D${n}`), otherIdentity: undefined! });
  for (let n = 0; n < 32; n++) await world.delegate(jobAt(n));
  await assertRejects(() => world.delegate(jobAt(32)), LimitExceededError);
  assertEquals([world.leaves.count, world.kept.includes("32")], [32, false]);
  // Another one in place of one that is there is no further one.
  await world.delegate(jobAt(0, "again"));
  assertEquals([world.leaves.count, world.kept.includes("again")], [32, true]);
  // Others are not concerned, nor is a job that names no user.
  await world.delegate(createJob({ identity: legacyIdentity("@b:x", "D"), userId: "@b:x" }));
  await world.delegate(createJob({ identity: legacyIdentity("@c:x", "D"), userId: undefined! }));
  assertEquals(world.leaves.count, 34);

  const gone = { ...HUNG_UP, identity: legacyIdentity(ALICE, "D5") };
  await world.tell({ ...gone, kind: "joined" });
  await world.tell(gone);
  await world.delegate(jobAt(32));
  await assertRejects(() => world.delegate(jobAt(33)), LimitExceededError);
});

Deno.test("delegate() counts the jobs that are only being kept", async () => {
  const world = createWorld();
  await world.start();
  const keeping = Promise.withResolvers<void>();
  world.settings.put = () => keeping.promise;
  const results = Array.from({ length: 40 }, (_, n) =>
    world.leaves.delegate(
      createJob({ id: String(n), identity: legacyIdentity(ALICE, `D${n}`) }),
      TIMEOUT_MS,
    ).then(() => "kept", (error) => error.name));
  await settle();
  keeping.resolve();
  const names = await Promise.all(results);
  assertEquals(names.filter((name) => name === "kept").length, 32);
  assertEquals(names.slice(32), Array(8).fill("LimitExceededError"));
  assertEquals(world.leaves.count, 32);
});

Deno.test("delegate() does not count what could not be kept", async () => {
  const world = createWorld();
  await world.start();
  const jobAt = (n: number) => createJob({ identity: legacyIdentity(ALICE, `D${n}`) });
  world.settings.put = () => Promise.reject(new StoreError("tcp", "no store"));
  for (let n = 0; n < 40; n++) await assertRejects(() => world.delegate(jobAt(n)), StoreError);
  delete world.settings.put;
  for (let n = 0; n < 32; n++) await world.delegate(jobAt(n));
  assertEquals(world.leaves.count, 32);
});

Deno.test("delegate() counts one event under two identities once", async () => {
  const world = createWorld();
  await world.start();
  for (let n = 0; n < 32; n++) {
    const [identity, otherIdentity] = [
      hashedIdentity(ALICE, `D${n}`, "m"),
      legacyIdentity(ALICE, `D${n}`),
    ];
    await world.delegate(createJob({ id: String(n), identity, otherIdentity }));
  }
  await world.delegate(createJob({
    id: "31",
    identity: legacyIdentity(ALICE, "D31"),
    otherIdentity: hashedIdentity(ALICE, "D31", "m"),
  }));
  assertEquals(world.leaves.count, 32);
});

Deno.test("delegate() makes no job of what could not be kept", async () => {
  const world = createWorld();
  await world.start();
  world.settings.put = () => Promise.reject(new StoreError("tcp", "no store"));
  await assertRejects(() => world.delegate(createJob()), StoreError);
  assertEquals([world.leaves.count, world.clock.pending], [0, []]);
  await world.tell({ kind: "joined", sid: "PA_1" });
  assertEquals([world.acts, world.passed.length], [[], 1]);
});

Deno.test("delegate() goes on with the earlier job when the new one could not be kept", async () => {
  const world = createWorld();
  await world.start();
  await world.delegate(createJob({ id: "old" }));
  await world.tell({ kind: "joined", sid: "PA_1" });
  world.settings.put = (job) => {
    // It got there after all, and nobody knows.
    world.records.set(keyOf(job), { job, restartedAt: 0, wasConnected: false });
    return Promise.reject(new StoreError("http", "no answer in time"));
  };
  await assertRejects(() => world.delegate(createJob({ id: "new" })), StoreError);
  assertEquals([world.kept, world.writes.at(-1)], [["old"], "update old"]);
  assertEquals(world.records.get(jobKey(ROOM, HASHED))?.wasConnected, true);
  await world.tell(HUNG_UP);
  assertEquals([world.acts, world.kept], [["restart old", "send old"], []]);
});

Deno.test("delegate() lets two hand-overs of one participant take their turns", async () => {
  const world = createWorld();
  await world.start();
  const keeping = new Map(
    ["1", "2", "3"].map((id) => [id, Promise.withResolvers<void>()]),
  );
  world.settings.put = (job) => keeping.get(job.delayId.reveal())!.promise;
  const delegating = [...keeping.keys()].map((id) =>
    world.leaves.delegate(createJob({ id }), TIMEOUT_MS).then(() => id, () => `not ${id}`)
  );
  await settle();
  assertEquals(world.writes, ["put 1"]);
  // Whoever came last has the last word, whatever the store makes of those before.
  keeping.get("3")!.resolve();
  keeping.get("2")!.reject(new StoreError("tcp", "no store"));
  keeping.get("1")!.resolve();
  assertEquals(await Promise.all(delegating), ["1", "not 2", "3"]);
  assertEquals([world.leaves.count, world.kept], [1, ["3"]]);
  world.settings.sighting = { kind: "present", sid: "PA_1", identity: HASHED };
  await world.pass(200_000);
  assertEquals(new Set(world.acts), new Set(["restart 3"]));
});

Deno.test("delegate() does not make participants wait for each other", async () => {
  const world = createWorld();
  await world.start();
  world.settings.put = (job) =>
    job.identity === HASHED ? new Promise<void>(() => {}) : Promise.resolve();
  void world.leaves.delegate(createJob(), TIMEOUT_MS);
  await world.delegate(createJob({ identity: legacyIdentity(ALICE, "OTHER") }));
  assertEquals(world.leaves.count, 1);
});

Deno.test("start() takes up what was kept", async () => {
  const clock = createManualClock();
  const now = clock.now();
  const world = createWorld([
    { job: createJob({ id: "was there" }), restartedAt: now - 10_000, wasConnected: true },
    {
      job: createJob({ id: "never came", identity: legacyIdentity(ALICE, "OTHER") }),
      restartedAt: now - 10_000,
      wasConnected: false,
    },
  ]);
  await world.start();
  assertEquals([world.leaves.count, world.acts], [2, ["restart was there"]]);
  await world.pass(500);
  assertEquals([world.leaves.count, world.acts.at(-1)], [1, "send was there"]);
  await world.pass(49_500);
  assertEquals([world.leaves.count, world.acts.at(-1)], [0, "send never came"]);
  assertEquals([world.kept, world.clock.pending], [[], []]);
});

Deno.test("start() counts what was kept among the user's jobs", async () => {
  const restartedAt = createManualClock().now();
  const world = createWorld(
    Array.from({ length: 32 }, (_, n) => ({
      job: createJob({ id: String(n), identity: legacyIdentity(ALICE, `D${n}`) }),
      restartedAt,
      wasConnected: false,
    })),
  );
  await world.start();
  await assertRejects(() => world.delegate(createJob()), LimitExceededError);
});

Deno.test("onTaken() runs the jobs of a replica that has gone", async () => {
  const world = createWorld();
  await world.start();
  const restartedAt = world.clock.now();
  world.listener.onTaken([{ job: createJob(), restartedAt, wasConnected: true }]);
  await settle();
  assertEquals([world.leaves.count, world.acts], [1, ["restart delay"]]);
  await world.pass(500);
  assertEquals([world.leaves.count, world.acts.at(-1), world.kept], [0, "send delay", []]);
});

Deno.test("onTaken() keeps an event through the homeserver alive whose user is awaited", async () => {
  const world = createWorld();
  await world.start();
  const restartedAt = world.clock.now() - 20_000;
  const job = createJob({ isThroughHomeserver: true });
  world.listener.onTaken([{ job, restartedAt, wasConnected: false }]);
  await settle();
  assertEquals([world.leaves.count, world.acts], [1, ["restart delay"]]);
  await world.pass(300_000);
  assertEquals([world.leaves.count, new Set(world.acts)], [1, new Set(["restart delay"])]);
  await world.tell({ kind: "joined", sid: "PA_1" });
  await world.tell({ kind: "left", sid: "PA_1", reason: "CLIENT_INITIATED" });
  assertEquals([world.leaves.count, world.acts.at(-1), world.kept], [0, "send delay", []]);
});

Deno.test("onTaken() does not disturb a job that runs here", async () => {
  const world = createWorld();
  await world.start();
  await world.delegate(createJob({ id: "here" }));
  const restartedAt = world.clock.now();
  world.listener.onTaken([{ job: createJob({ id: "kept" }), restartedAt, wasConnected: true }]);
  await settle();
  assertEquals([world.leaves.count, world.acts], [1, []]);
  await world.tell({ kind: "joined", sid: "PA_1" });
  assertEquals(world.acts, ["restart here"]);
});

for (const way of ["the store", "the writer"] as const) {
  Deno.test(`onLost() ends a job without a call when ${way} says so`, async () => {
    const world = createWorld();
    await world.start();
    await world.delegate(createJob());
    await world.tell({ kind: "joined", sid: "PA_1" });
    const { length } = world.writes;
    if (way === "the store") world.listener.onLost([jobKey(ROOM, HASHED)]);
    else world.lose(createJob());
    assertEquals([world.leaves.count, [...world.watched.rooms()]], [0, []]);
    await world.pass(300_000);
    await world.tell(HUNG_UP);
    // Its record is the other replica's now, and so is the event.
    assertEquals([world.acts, world.writes.length], [["restart delay"], length]);
    assertEquals([world.kept, world.passed.length, world.clock.pending], [["delay"], 1, []]);
    await world.delegate(createJob({ id: "new" }));
    assertEquals(world.leaves.count, 1);
  });
}

Deno.test("onLost() shrugs at what is not there", async () => {
  const world = createWorld();
  await world.start();
  world.listener.onLost([jobKey(ROOM, HASHED)]);
  assertEquals(world.leaves.count, 0);
});

Deno.test("onRecovered() has all jobs written anew as they are now", async () => {
  const world = createWorld();
  await world.start();
  await world.delegate(createJob({ id: "a" }));
  await world.delegate(createJob({ id: "b", identity: legacyIdentity(ALICE, "OTHER") }));
  await world.tell({ kind: "joined", sid: "PA_1" });
  world.records.clear();
  world.listener.onRecovered();
  assertEquals(world.kept, ["a", "b"]);
  assertEquals(world.records.get(jobKey(ROOM, HASHED))?.wasConnected, true);
});

Deno.test("StoreListener.onEvent() tells the job and passes nothing on", async () => {
  const world = createWorld();
  await world.start();
  await world.delegate(createJob());
  const event = { room: ROOM, identity: HASHED, sid: "PA_1", reason: "UNKNOWN_REASON" };
  world.listener.onEvent({ ...event, kind: "joined" });
  world.listener.onEvent({ ...event, kind: "joined", identity: "@nobody:example.org:D" });
  await settle();
  assertEquals([world.acts, world.passed], [["restart delay"], []]);
});

Deno.test("close() sends and removes nothing, and the next start has all jobs", async () => {
  const world = createWorld();
  await world.start();
  await world.delegate(createJob({ id: "a" }));
  await world.delegate(createJob({ id: "b", identity: legacyIdentity(ALICE, "OTHER") }));
  await world.tell({ kind: "joined", sid: "PA_1" });
  await world.leaves.close(TIMEOUT_MS);
  assertEquals([world.isStoreClosed, world.clock.pending], [true, []]);
  await world.tell(HUNG_UP);
  await world.pass(300_000);
  assertEquals([world.acts, world.kept], [["restart a"], ["a", "b"]]);

  const next = createWorld([...world.records.values()]);
  await next.start();
  assertEquals([next.leaves.count, next.acts], [2, ["restart a"]]);
});

Deno.test("close() leaves a hand-over under way to the next start", async () => {
  const world = createWorld();
  await world.start();
  const keeping = Promise.withResolvers<void>();
  world.settings.put = () => keeping.promise;
  const delegating = world.leaves.delegate(createJob(), TIMEOUT_MS);
  await settle();
  await world.leaves.close(TIMEOUT_MS);
  keeping.resolve();
  await delegating;
  await settle();
  assertEquals([world.leaves.count, world.kept, world.clock.pending], [0, ["delay"], []]);
});

Deno.test("close() takes nothing over any more", async () => {
  const world = createWorld();
  await world.start();
  await world.leaves.close(TIMEOUT_MS);
  const restartedAt = world.clock.now();
  world.listener.onTaken([{ job: createJob(), restartedAt, wasConnected: true }]);
  await settle();
  assertEquals([world.leaves.count, world.acts], [0, []]);
});

for (const jumpMs of [3_600_000, -3_600_000]) {
  Deno.test(`records follow the time of day when it is set by ${jumpMs / 3_600_000} h`, async () => {
    const world = createWorld();
    await world.start();
    await world.delegate(createJob({ id: "a" }));
    const other = legacyIdentity(ALICE, "OTHER");
    await world.delegate(createJob({ id: "b", identity: other, otherIdentity: other }));
    await world.tell({ kind: "joined", sid: "PA_1" });
    await world.pass(10_000);
    const handedOverAt = world.records.get(jobKey(ROOM, other))!.restartedAt;
    world.clock.setNow(world.clock.now() + jumpMs);
    // Whatever is kept next shows it.
    await world.pass(40_000);
    const { restartedAt } = world.records.get(jobKey(ROOM, other))!;
    assertEquals(restartedAt - handedOverAt, jumpMs);
  });
}
