import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { ParticipantEvent } from "../../../lib/delayed_leave/participant_event.ts";
import { createFindMembers } from "../../../lib/delayed_leave/sfu/room_members.ts";
import { RoomPolling } from "../../../lib/delayed_leave/sfu/room_polling.ts";
import { WatchedJobsByRoom } from "../../../lib/delayed_leave/watched_jobs.ts";
import { SfuError } from "../../../lib/sfu/twirp.ts";
import { createManualClock } from "../../support/manual_clock.ts";
import { createJob, createRoomsOfSfu, pass, REFUSED, settle } from "./sfu_world.ts";

const INTERVAL_MS = 30_000;

function createWorld({ intervalMs = INTERVAL_MS, phase = 0.5 } = {}) {
  const clock = createManualClock();
  const sfu = createRoomsOfSfu(clock);
  const jobs = new WatchedJobsByRoom();
  const settings = { isDown: false, counts: true };
  const failures: unknown[] = [];
  const polling = new RoomPolling({
    jobs,
    findMembers: createFindMembers(sfu, clock),
    intervalMs,
    isDown: () => settings.isDown,
    countsIn: () => settings.counts,
    onAnswer() {},
    onFailure: (error) => failures.push(error),
    clock,
    random: () => phase,
  });
  // A moment later, so that the first round has all the jobs that a test begins with.
  jobs.onFirst = () => queueMicrotask(() => polling.wake());
  return {
    clock,
    failures,
    jobs,
    polling,
    settings,
    sfu,
    add(name: string, participant: string, options: Parameters<typeof createJob>[2] = {}) {
      const job = createJob(name, participant, options, clock);
      jobs.add(job);
      return job;
    },
    /** A webhook, of a participant where one is named. */
    hear: (event: string, room?: string, identity?: string) => {
      polling.onWebhook();
      const kind = KINDS[event];
      if (kind === undefined || room === undefined || identity === undefined) return;
      polling.onEvent({ kind, room, identity, reason: "UNKNOWN_REASON" });
    },
    times: (room: string) =>
      sfu.calls.flatMap((call) => call.method === "list" && call.room === room ? [call.at] : []),
    pass: (ms: number) => pass(clock, ms),
  };
}

const KINDS: Record<string, ParticipantEvent["kind"]> = {
  participant_joined: "joined",
  participant_left: "left",
  participant_connection_aborted: "aborted",
};

Deno.test("RoomPolling tells the jobs of a room by one list who is there", async () => {
  const { add, pass, sfu } = createWorld();
  const alice = add("call", "alice");
  const bob = add("call", "bob", { other: "hashed bob" });
  const carol = add("call", "carol", { other: "hashed carol" });
  const sids = [sfu.join("call", "alice"), sfu.join("call", "hashed bob")];
  await pass(15_000);
  assertEquals([alice.told, bob.told, carol.told], [
    [`present ${sids[0]}`],
    [`present ${sids[1]}`],
    ["absent"],
  ]);
  assertEquals(sfu.looks(), ["list call"]);
});

Deno.test("RoomPolling looks into each room once per interval, spread over it", async () => {
  const { add, pass, sfu, times } = createWorld();
  for (const name of ["a", "b", "c"]) {
    add(name, "alice");
    sfu.join(name, "alice");
  }
  await pass(90_000);
  assertEquals(times("a"), [5_000, 35_000, 65_000]);
  assertEquals(times("b"), [15_000, 45_000, 75_000]);
  assertEquals(times("c"), [25_000, 55_000, 85_000]);
});

Deno.test("RoomPolling takes many rooms in small portions", async () => {
  const { add, clock, pass, sfu } = createWorld({ phase: 0.3 });
  for (let i = 0; i < 3_000; i++) {
    add(`call ${i}`, "alice");
    sfu.join(`call ${i}`, "alice");
  }
  await pass(INTERVAL_MS);
  await pass(200);
  const perSecond = new Map<number, number>();
  for (const { at } of sfu.calls) {
    perSecond.set(Math.floor(at / 1000), (perSecond.get(Math.floor(at / 1000)) ?? 0) + 1);
  }
  assert([...perSecond.values()].slice(0, -1).every((count) => count >= 90 && count <= 110));
  assert(sfu.calls.length >= 3_000);
  assertEquals(clock.pending.length, 1);
});

Deno.test("RoomPolling is off with an interval of 0, but for pollAll()", async () => {
  const { add, clock, pass, polling } = createWorld({ intervalMs: 0 });
  const job = add("call", "alice");
  await pass(600_000);
  assertEquals([job.told, clock.pending], [[], []]);
  await polling.pollAll();
  assertEquals(job.told, ["absent"]);
});

Deno.test("RoomPolling rests while there is no job", async () => {
  const { add, clock, jobs, pass, sfu, times } = createWorld();
  const job = add("call", "alice");
  sfu.join("call", "alice");
  await pass(20_000);
  jobs.remove(job);
  await pass(INTERVAL_MS);
  assertEquals(clock.pending, []);
  jobs.add(job);
  await pass(15_000);
  assertEquals(times("call"), [15_000, 65_000]);
});

Deno.test("RoomPolling does not tell absence to a job that was seen after the question", async () => {
  const { add, jobs, pass, sfu } = createWorld();
  const answer = Promise.withResolvers<void>();
  sfu.hold = () => answer.promise;
  const early = add("call", "alice");
  const seen = add("call", "bob");
  await pass(15_000);
  assertEquals(sfu.looks(), ["list call"]);
  seen.seenAt = 15_000;
  const late = createJob("call", "carol", { seenAt: 15_000 });
  jobs.add(late);
  answer.resolve();
  await settle();
  assertEquals([early.told, seen.told, late.told], [["absent"], [], []]);
});

Deno.test("RoomPolling tells presence only while absence does not count", async () => {
  const { add, pass, settings, sfu } = createWorld();
  settings.counts = false;
  const gone = add("call", "alice");
  const there = add("call", "bob");
  sfu.join("call", "bob");
  await pass(15_000);
  assertEquals([gone.told, there.told.length], [[], 1]);
});

Deno.test("RoomPolling asks nothing while the SFU is away", async () => {
  const { add, pass, settings, sfu } = createWorld();
  settings.isDown = true;
  add("call", "alice");
  await pass(60_000);
  assertEquals(sfu.calls, []);
  settings.isDown = false;
  await pass(INTERVAL_MS);
  assertEquals(sfu.looks(), ["list call"]);
});

Deno.test("RoomPolling tells nobody of an error but the watch", async () => {
  const { add, failures, pass, sfu } = createWorld();
  sfu.fail = () => {
    throw REFUSED;
  };
  const job = add("call", "alice");
  await pass(INTERVAL_MS);
  assertEquals([job.told, failures], [[], [REFUSED]]);
});

Deno.test("RoomPolling asks for each participant where there are no lists", async () => {
  const { add, pass, sfu } = createWorld();
  sfu.fail = ({ method }) => {
    if (method === "list") throw new SfuError("answer", "HTTP 404", { status: 404 });
  };
  sfu.join("call", "hashed alice");
  const alice = add("call", "alice", { other: "hashed alice" });
  const bob = add("call", "bob");
  await pass(INTERVAL_MS);
  assertEquals([alice.told.length, bob.told], [1, ["absent"]]);
  assertEquals(sfu.looks(), [
    "list call",
    "find call alice",
    "find call hashed alice",
    "find call bob",
  ]);
});

Deno.test("RoomPolling takes three times as long while webhooks arrive, and until they don't", async () => {
  const { add, hear, pass, sfu, times } = createWorld();
  add("call", "alice");
  sfu.join("call", "alice");
  hear("track_published", "elsewhere", "somebody");
  await pass(270_000);
  assertEquals(times("call"), [45_000, 135_000, 225_000]);
  await pass(330_000);
  const gaps = times("call").map((at, i, all) => at - (all[i - 1] ?? 0)).slice(-7);
  assertEquals(gaps.slice(-6), Array(6).fill(30_000));
});

for (
  const { name, isMissed, act } of [
    { name: "no webhook has told", isMissed: true, act: () => {} },
    {
      name: "a webhook tells a moment later",
      isMissed: false,
      act: (hear: (event: string, room: string, identity: string) => void, when: string) => {
        if (when === "after") hear("participant_left", "call", "alice");
      },
    },
    {
      name: "a webhook has told under the other identity",
      isMissed: false,
      act: (hear: (event: string, room: string, identity: string) => void, when: string) => {
        if (when === "before") hear("participant_connection_aborted", "call", "hashed alice");
      },
    },
    {
      name: "a webhook about somebody else tells",
      isMissed: true,
      act: (hear: (event: string, room: string, identity: string) => void) =>
        hear("participant_left", "call", "bob"),
    },
  ]
) {
  const pace = isMissed ? "hurries" : "takes its time";
  Deno.test(`RoomPolling ${pace} after a departure that ${name}`, async () => {
    const { add, hear, jobs, pass, sfu, times } = createWorld();
    add("other", "bob");
    sfu.join("other", "bob");
    const job = add("call", "alice", { other: "hashed alice" });
    sfu.join("call", "alice");
    // Rooms that come after it, so that there is a step a moment later.
    for (let i = 0; i < 88; i++) add(`call ${i}`, "alice", { seenAt: Infinity });
    hear("room_started");
    sfu.leave("call", "alice");
    act(hear, "before");
    await pass(1_500);
    assertEquals(job.told.at(-1), "absent");
    await pass(4_000);
    jobs.remove(job);
    act(hear, "after");
    await pass(200_000);
    const gaps = times("other").map((at, i, all) => at - (all[i - 1] ?? 0));
    // The step is a hundredth of a second off where the rooms are many.
    assertEquals(Math.round(gaps.at(-1)! / 1_000), isMissed ? 30 : 90);
  });
}

Deno.test("RoomPolling hurries at once, not after the long wait that it had begun", async () => {
  const { add, hear, pass, sfu, times } = createWorld();
  add("call", "alice");
  add("call", "bob");
  sfu.join("call", "bob");
  hear("room_started");
  await pass(120_000);
  assertEquals(times("call"), [45_000, 90_000, 120_000]);
});

Deno.test("RoomPolling is not disturbed by being woken while it is awake", async () => {
  const { add, clock, pass, polling, times } = createWorld();
  add("call", "alice");
  for (let i = 0; i < 6; i++) {
    await pass(10_000);
    polling.wake();
  }
  assertEquals([times("call"), clock.pending.length], [[15_000, 45_000], 1]);
});

Deno.test("RoomPolling does not hurry for a participant who came back", async () => {
  const { add, hear, pass, sfu, times } = createWorld();
  const job = add("call", "alice");
  hear("room_started");
  await pass(45_000);
  assertEquals(job.told, ["absent"]);
  sfu.join("call", "alice");
  job.seenAt = 46_000;
  await pass(200_000);
  assertEquals(times("call"), [45_000, 135_000, 225_000]);
});

Deno.test("RoomPolling does not make up for a long pause of the process", async () => {
  const { add, clock, pass, sfu } = createWorld();
  for (let i = 0; i < 300; i++) add(`call ${i}`, "alice", { seenAt: Infinity });
  await pass(10_000);
  sfu.calls.length = 0;
  // The runtime's timers fire once after a pause, however long it was.
  const [late] = clock.pending;
  assertEquals(late! <= 100, true);
  const monotonic = clock.monotonic;
  clock.monotonic = () => monotonic() + 3_600_000;
  clock.advance(100);
  await settle();
  assert(sfu.calls.length <= 15, String(sfu.calls.length));
});

Deno.test("RoomPolling has 16 calls under way, and no room waiting twice", async () => {
  const { add, pass, sfu } = createWorld();
  for (let i = 0; i < 30; i++) add(`call ${i}`, "alice");
  const answers: (() => void)[] = [];
  sfu.hold = () => new Promise((resolve) => answers.push(resolve));
  await pass(120_000);
  assertEquals(sfu.calls.length, 16);
  sfu.hold = () => undefined;
  for (const answer of answers) answer();
  await settle();
  await settle();
  // The 14 others have been waiting for their turn, and so have the 16 for their second.
  assertEquals(sfu.calls.length, 46);
});

Deno.test("RoomPolling looks into every room in every two intervals, whatever comes and goes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ wait: fc.nat(20_000), add: fc.boolean(), at: fc.nat(9) }), {
        maxLength: 30,
      }),
      fc.double({ min: 0, max: 0.99, noNaN: true }),
      async (steps, phase) => {
        const { add, jobs, pass, clock, sfu, times } = createWorld({ phase });
        const live = new Map<string, { job: ReturnType<typeof add>; since: number }>();
        for (const step of steps) {
          const name = `call ${step.at}`;
          const known = live.get(name);
          if (step.add && known === undefined) {
            sfu.join(name, "alice");
            live.set(name, { job: add(name, "alice"), since: clock.monotonic() });
          } else if (!step.add && known !== undefined) {
            jobs.remove(known.job);
            live.delete(name);
          }
          await pass(step.wait);
          for (const [name, { since }] of live) {
            const last = Math.max(since, times(name).at(-1) ?? 0);
            assert(clock.monotonic() - last <= 2 * INTERVAL_MS + 1_000, name);
          }
        }
      },
    ),
    { numRuns: 50 },
  );
});
