// What every store of jobs has to do, whatever it keeps them in.

import { assert, assertEquals } from "@std/assert";
import type { Clock } from "../../../lib/clock.ts";
import { type Job, jobKey, type StoredJob } from "../../../lib/delayed_leave/job.ts";
import type { JobChange, JobStore, StoreListener } from "../../../lib/delayed_leave/store.ts";
import { Secret } from "../../../lib/secret.ts";
import type { LiveKitIdentity, LiveKitRoom } from "../../../lib/signing/names.ts";

/** A place to keep jobs in, of its own for each test. */
export interface StorePlace extends AsyncDisposable {
  /** The clock that its stores go by. */
  readonly clock: Clock;
  /** Makes a store over this place, not started yet; one that was closed may have been there before. */
  open(): JobStore;
  /**
   * Puts text there the way another program does, while no store is open. Absent
   * where nothing outlives the store.
   */
  insert?(entries: readonly Entry[]): Promise<void>;
}

/** What is kept of one participant's job: the record should be a job, but need not be. */
export interface Entry {
  readonly room: string;
  readonly identity: string;
  readonly record: string;
}

/** Hears nothing: for stores without other replicas. */
export const DEAF: StoreListener = {
  onTaken: () => {},
  onLost: () => {},
  onEvent: () => {},
  onRecovered: () => {},
};

/** Makes a job to keep. */
export function createJob(fields: Partial<Job> = {}): Job {
  return {
    room: "room" as LiveKitRoom,
    identity: "@alice:example.org:DEVICE" as LiveKitIdentity,
    delayId: new Secret("syd_delay"),
    delayTimeoutMs: 60_000,
    serverName: "example.org",
    userId: "@alice:example.org",
    ...fields,
  };
}

/** A job as something to compare; secrets of different values are equal to assertEquals. */
export function plain({ job, ...rest }: StoredJob) {
  return { ...job, ...rest, delayId: job.delayId.reveal() };
}

/** Identities of all kinds, each another one. */
const ODD_IDENTITIES = [
  "",
  '"',
  "\\",
  `a "b" 'c' \\d`,
  "&<>\u2028\u2029",
  "\\u0026",
  "nul\0tab\tend\n",
  "🦊🇪🇺 e\u0301 é",
  "%s%d:*{}[]",
  "; DROP TABLE jobs; --",
  "@" + "x".repeat(254),
  "ü".repeat(127) + "x",
].map((text) => `@${text}:D` as LiveKitIdentity);

/**
 * Tests a store.
 *
 * @param name What the tests' names start with.
 * @param createPlace Makes an empty place.
 */
export function testStore(name: string, createPlace: () => Promise<StorePlace>): void {
  const test = (behaviour: string, action: (place: StorePlace) => Promise<void>) =>
    Deno.test(`${name} ${behaviour}`, async () => {
      await using place = await createPlace();
      await action(place);
    });

  test("starts empty, and lets its process act", async (place) => {
    const store = place.open();
    assertEquals(await store.start(DEAF), []);
    assertEquals(await store.write([]), []);
    assertEquals([store.mayAct("restart"), store.mayAct("send")], [true, true]);
    await store.close();
  });

  test("gives back after a restart what was put, as it was updated last", async (place) => {
    const now = place.clock.now();
    const [alice, bob, carol, proxied] = ["alice", "bob", "carol", "dan"].map((identity) =>
      createJob({ identity: identity as LiveKitIdentity, delayId: new Secret(`id of ${identity}`) })
    ) as [Job, Job, Job, Job];
    const withAll = { ...bob, otherIdentity: "other" as LiveKitIdentity, delayTimeoutMs: 1_234 };
    const dan: Job = { ...proxied, isThroughHomeserver: true };
    await keep(place, [
      { kind: "put", stored: { job: alice, restartedAt: now, wasConnected: false } },
      { kind: "put", stored: { job: withAll, restartedAt: now, wasConnected: true } },
      { kind: "put", stored: { job: carol, restartedAt: now, wasConnected: true } },
      { kind: "put", stored: { job: dan, restartedAt: now - 7, wasConnected: false } },
    ], [
      { kind: "update", stored: { job: alice, restartedAt: now - 1, wasConnected: true } },
      { kind: "remove", job: carol },
      { kind: "update", stored: { job: dan, restartedAt: now, wasConnected: false } },
    ]);
    await expectJobs(place, [
      { job: alice, restartedAt: now - 1, wasConnected: true },
      { job: withAll, restartedAt: now, wasConnected: true },
      { job: dan, restartedAt: now, wasConnected: false },
    ]);
  });

  test("goes on with jobs it has taken up", async (place) => {
    const now = place.clock.now();
    const [newer, ...jobs] = ["c", "a", "b"].map((identity) =>
      createJob({ identity: identity as LiveKitIdentity })
    ) as [Job, Job, Job];
    await keep(place, jobs.map((job) => put(job, now)));
    const store = place.open();
    const [a, b] = await store.start(DEAF);
    if (place.insert === undefined) return;
    assert(a !== undefined && b !== undefined);
    assertEquals(
      await store.write([
        { kind: "update", stored: { ...a, wasConnected: true } },
        { kind: "remove", job: b.job },
        put(newer, now - 1),
      ]),
      ["kept", "kept", "kept"],
    );
    await store.close();
    await expectJobs(place, [
      { ...a, wasConnected: true },
      { job: newer, restartedAt: now - 1, wasConnected: false },
    ]);
  });

  test("replaces a job by a newer one of the same participant", async (place) => {
    const now = place.clock.now();
    const newer = createJob({ delayId: new Secret("newer") });
    await keep(place, [put(createJob(), now)], [put(newer, now - 5)]);
    await expectJobs(place, [{ job: newer, restartedAt: now - 5, wasConnected: false }]);
  });

  for (const together of [true, false]) {
    const when = together ? "in the same go" : "later";
    test(`leaves a newer job alone when news of the replaced one come ${when}`, async (place) => {
      const now = place.clock.now();
      // The same delay ID: clients hand an event over again when they have lost the answer.
      const [older, newer] = [createJob(), createJob()];
      const late: JobChange[] = [
        { kind: "update", stored: { job: older, restartedAt: now - 100, wasConnected: true } },
        { kind: "remove", job: older },
      ];
      const puts = [put(older, now), put(newer, now)];
      await keep(place, ...together ? [[...puts, ...late]] : [puts, ...late.map((one) => [one])]);
      await expectJobs(place, [{ job: newer, restartedAt: now, wasConnected: false }]);
    });
  }

  test("says that a replaced job is lost when there is news of it", async (place) => {
    if (place.insert === undefined) return;
    const now = place.clock.now();
    const [older, newer] = [createJob(), createJob({ delayId: new Secret("newer") })];
    const store = place.open();
    await store.start(DEAF);
    assertEquals(await store.write([put(older, now), put(newer, now)]), ["kept", "kept"]);
    assertEquals(
      await store.write([
        { kind: "update", stored: { job: older, restartedAt: now, wasConnected: true } },
        { kind: "update", stored: { job: newer, restartedAt: now, wasConnected: true } },
      ]),
      ["lost", "kept"],
    );
    await store.close();
  });

  test("applies the changes of one participant in their order", async (place) => {
    const now = place.clock.now();
    const [first, second, third] = [1, 2, 3].map((n) =>
      createJob({ delayId: new Secret(`event ${n}`) })
    ) as [Job, Job, Job];
    await keep(place, [
      put(first, now),
      { kind: "update", stored: { job: first, restartedAt: now - 1, wasConnected: true } },
      { kind: "remove", job: first },
      put(second, now - 2),
      put(third, now - 3),
      { kind: "remove", job: second },
      { kind: "update", stored: { job: third, restartedAt: now - 4, wasConnected: true } },
    ]);
    await expectJobs(place, [{ job: third, restartedAt: now - 4, wasConnected: true }]);
  });

  test("removes at the start what the homeserver has sent by itself", async (place) => {
    const now = place.clock.now();
    const jobs = ["expired", "just expired", "not yet"].map((identity) =>
      createJob({ identity: identity as LiveKitIdentity })
    ) as [Job, Job, Job];
    await keep(place, [
      put(jobs[0], now - 3_600_000),
      put(jobs[1], now - 60_000),
      // Where the clock is a real one, it goes on meanwhile.
      put(jobs[2], now - 30_000),
    ]);
    const left = [{ job: jobs[2], restartedAt: now - 30_000, wasConnected: false }];
    await expectJobs(place, left);
    await expectJobs(place, left);
  });

  test("takes a restart in the future for one of just now", async (place) => {
    const before = place.clock.now();
    await keep(place, [put(createJob(), before + 3_600_000)]);
    if (place.insert === undefined) return;
    const [stored] = await load(place);
    assert(stored !== undefined);
    assert(before <= stored.restartedAt && stored.restartedAt <= place.clock.now());
  });

  test("tells participants apart whatever their names look like", async (place) => {
    const now = place.clock.now();
    const rooms = ["room", "r&m", '","'] as LiveKitRoom[];
    const jobs = rooms.flatMap((room) =>
      ODD_IDENTITIES.map((identity) => createJob({ room, identity }))
    );
    await keep(place, jobs.map((job) => put(job, now)));
    await expectJobs(place, jobs.map((job) => ({ job, restartedAt: now, wasConnected: false })));
  });

  test("takes 2 000 changes in one go", async (place) => {
    const now = place.clock.now();
    const jobs = Array.from(
      { length: 2_000 },
      (_, n) => createJob({ identity: `@user${n}:example.org:D` as LiveKitIdentity }),
    );
    const stored = jobs.map((job, n) => ({ job, restartedAt: now - n, wasConnected: false }));
    const [half, other] = [stored.slice(0, 1_000), stored.slice(1_000)];
    await keep(place, stored.map((stored) => ({ kind: "put", stored })), [
      ...half.map((stored) => ({
        kind: "update" as const,
        stored: { ...stored, wasConnected: true },
      })),
      ...other.map(({ job }) => ({ kind: "remove" as const, job })),
    ]);
    await expectJobs(place, half.map((stored) => ({ ...stored, wasConnected: true })));
  });

  test("takes up the jobs of lk-jwt-service", async (place) => {
    if (place.insert === undefined) return;
    const { delayId, ...job } = createJob({ delayTimeoutMs: 10_000 });
    const { userId: _, ...known } = job;
    const restartedAt = place.clock.now() - 1_000;
    // Two hours east of Greenwich the clocks show more.
    const local = new Date(restartedAt + 7_200_000).toISOString().replace("Z", "456789+02:00");
    await place.insert([{
      room: job.room,
      identity: job.identity,
      record: `{"Params":{"DelayId":"${delayId.reveal()}","DelayTimeout":10000000000,` +
        `"ServerName":"${job.serverName}","LiveKitRoom":"${job.room}",` +
        `"LiveKitIdentity":"${job.identity}"},"RestartedAt":"${local}"}`,
    }]);
    await expectJobs(place, [{ job: { ...known, delayId }, restartedAt, wasConnected: false }]);
  });

  test("sets aside for good what it cannot understand", async (place) => {
    if (place.insert === undefined) return;
    const now = place.clock.now();
    const good = createJob();
    await keep(place, [put(good, now)]);
    await place.insert(
      ["", "{", "null", "[]", '{"Params":{}}', "x".repeat(100_000)].map((record, n) => ({
        room: "room",
        identity: `broken ${n}`,
        record,
      })),
    );
    const left = [{ job: good, restartedAt: now, wasConnected: false }];
    await expectJobs(place, left);
    await expectJobs(place, left);
  });
}

function put(job: Job, restartedAt: number): JobChange {
  return { kind: "put", stored: { job, restartedAt, wasConnected: false } };
}

/** Opens a store, writes, each list in a go of its own, and closes it. */
async function keep(place: StorePlace, ...goes: readonly JobChange[][]): Promise<void> {
  const store = place.open();
  await store.start(DEAF);
  for (const changes of goes) {
    assertEquals((await store.write(changes)).length, changes.length);
  }
  await store.close();
}

async function load(place: StorePlace): Promise<readonly StoredJob[]> {
  const store = place.open();
  const stored = await store.start(DEAF);
  await store.close();
  return stored;
}

/** Opens a store and looks which jobs it gives, in whatever order. */
async function expectJobs(place: StorePlace, expected: readonly StoredJob[]): Promise<void> {
  const comparable = (jobs: readonly StoredJob[]) =>
    jobs.map((stored) => ({ key: jobKey(stored.job.room, stored.job.identity), ...plain(stored) }))
      .sort((a, b) => a.key < b.key ? -1 : 1);
  const kept = place.insert === undefined ? [] : expected;
  assertEquals(comparable(await load(place)), comparable(kept));
}
