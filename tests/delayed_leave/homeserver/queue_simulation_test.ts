// Whole fleets of jobs in virtual time, against the fake homeserver without HTTP.

import { assert, assertEquals } from "@std/assert";
import type { Attempt, Outcome } from "../../../lib/delayed_leave/homeserver/delayed_events.ts";
import type { ActionResult, PerformAction } from "../../../lib/delayed_leave/homeserver_action.ts";
import { restartAfterMs } from "../../../lib/delayed_leave/restart_schedule.ts";
import {
  createDelayedEvents,
  type DelayedAnswer,
  type DelayedEvents,
} from "../../fakes/delayed_events.ts";
import { createJob, createQueue, createRandom, failed } from "./queue_world.ts";
import { createVirtualTime, type VirtualTime } from "./virtual_time.ts";

const LATENCY_MS = 10;
const UNAVAILABLE: DelayedAnswer = { status: 503, body: {} };

/** Attempts that reach a homeserver, unless they hang. */
function createAttempt(
  clock: VirtualTime,
  eventsOf: (serverName: string) => DelayedEvents,
  hangs: (serverName: string) => boolean = () => false,
): Attempt {
  const pass = (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve));
  return async (job, act, timeoutMs) => {
    if (hangs(job.serverName)) {
      await pass(timeoutMs);
      return failed("http");
    }
    await pass(LATENCY_MS / 2);
    const answer = eventsOf(job.serverName).act(job.delayId.reveal(), act);
    await pass(LATENCY_MS / 2);
    return outcomeOf(answer);
  };
}

function outcomeOf({ status, body }: DelayedAnswer): Outcome {
  if (status === 200) return { kind: "done" };
  if (status === 404) return { kind: "gone" };
  if (status !== 429) return failed("http");
  return { kind: "limited", retryAfterMs: Math.ceil(Number(body.retry_after_ms) / 1000) * 1000 };
}

/** Keeps jobs alive by restarts, as the runner does. */
function keepAlive(
  clock: VirtualTime,
  perform: PerformAction,
  random: () => number,
  job: ReturnType<typeof createJob>,
): void {
  const { delayTimeoutMs } = job;
  const restart = async (deadline: number) => {
    const isWanted = () => true;
    if (await perform({ job, act: "restart", deadline, isWanted }) !== "done") return;
    const next = clock.monotonic() + delayTimeoutMs;
    clock.after(restartAfterMs(delayTimeoutMs, random), () => void restart(next));
  };
  void restart(clock.monotonic() + delayTimeoutMs);
}

/** Jobs on one homeserver for a while; gives the delays that ended, and all attempts. */
async function liveThrough(options: {
  jobs: number;
  delayMs: number;
  forMs: number;
  hangs?: () => boolean;
  prepare?(events: DelayedEvents, clock: VirtualTime): void;
}) {
  const clock = createVirtualTime();
  const random = createRandom(7);
  const events = createDelayedEvents(clock);
  options.prepare?.(events, clock);
  const perform = await createQueue(clock, {
    attempt: createAttempt(clock, () => events, options.hangs),
  });
  const ids = Array.from({ length: options.jobs }, (_, i) => `${i}`);
  for (const id of ids) {
    events.schedule(id, options.delayMs);
    keepAlive(clock, perform, random, createJob(id, "example.org", options.delayMs));
  }
  await clock.pass(options.forMs);
  const lost = ids.filter((id) => events.state(id) !== "scheduled");
  return { lost, events, clock };
}

function statuses({ actions }: DelayedEvents): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of actions) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

Deno.test("of 5 000 jobs none is lost while 30 % of the answers are 503", async () => {
  const random = createRandom(3);
  const { lost, events } = await liveThrough({
    jobs: 5_000,
    delayMs: 30_000,
    forMs: 150_000,
    prepare: ({ settings }) => settings.fail = () => random() < 0.3 ? UNAVAILABLE : undefined,
  });
  assertEquals(lost, []);
  const { 200: done = 0, 503: failures = 0 } = statuses(events);
  assert(done > 40_000 && failures > 0.25 * (done + failures), `${done}, ${failures}`);
});

Deno.test("of 500 jobs none is lost while every fifth attempt hangs", async () => {
  const random = createRandom(4);
  const { lost } = await liveThrough({
    jobs: 500,
    delayMs: 30_000,
    forMs: 150_000,
    hangs: () => random() < 0.2,
  });
  assertEquals(lost, []);
});

Deno.test("an outage of 10 s costs no job of 30 s", async () => {
  const { lost } = await liveThrough({
    jobs: 2_000,
    delayMs: 30_000,
    forMs: 120_000,
    prepare({ settings }, clock) {
      const isDown = () =>
        clock.monotonic() % 60_000 > 20_000 && clock.monotonic() % 60_000 < 30_000;
      settings.fail = () => isDown() ? UNAVAILABLE : undefined;
    },
  });
  assertEquals(lost, []);
});

Deno.test("Synapse's usual limits are enough for a few calls, in a storm of 429 too", async () => {
  const { lost, events } = await liveThrough({
    jobs: 3,
    delayMs: 60_000,
    forMs: 600_000,
    prepare(events, clock) {
      events.settings.rateLimit = { perSecond: 1, burst: 5 };
      // Somebody behind the same address takes all there is, for 15 s of every minute.
      events.schedule("other", 3_600_000);
      const takeAll = () => {
        if (clock.monotonic() % 60_000 < 15_000) events.act("other", "restart");
        clock.after(200, takeAll);
      };
      takeAll();
    },
  });
  assertEquals(lost, []);
  const ours = events.actions.filter(({ delayId }) => delayId !== "other");
  assert(ours.length < 150, `${ours.length} attempts`);
});

Deno.test("a fleet just within the homeserver's limits is kept, with few 429", async () => {
  const { lost, events } = await liveThrough({
    jobs: 30,
    delayMs: 60_000,
    forMs: 900_000,
    prepare: ({ settings }) => settings.rateLimit = { perSecond: 1, burst: 5 },
  });
  assertEquals(lost, []);
  const { 200: done = 0, 429: limited = 0 } = statuses(events);
  assert(limited < done * 0.15, `${done} done, ${limited} limited`);
});

Deno.test("2 000 participants who join at once stay within one action a second, for hours", async () => {
  const { lost, events } = await liveThrough({
    jobs: 2_000,
    delayMs: 3_600_000,
    forMs: 4 * 3_600_000,
    prepare: ({ settings }) => settings.rateLimit = { perSecond: 1, burst: 20 },
  });
  assertEquals(lost, []);
  const { 200: done = 0, 429: limited = 0 } = statuses(events);
  assert(limited < done * 0.15, `${done} done, ${limited} limited`);
});

/** Sends leaves at once; gives results, and when the last one was sent. */
async function sendAll(
  clock: VirtualTime,
  perform: PerformAction,
  events: DelayedEvents,
  count: number,
  msLeft: number,
) {
  const results = new Map<ActionResult, number>();
  let lastAt = 0;
  for (let i = 0; i < count; i++) {
    events.schedule(`${i}`, 3_600_000);
    const deadline = clock.monotonic() + msLeft;
    void perform({ job: createJob(`${i}`), act: "send", deadline, isWanted: () => true }).then(
      (result) => {
        results.set(result, (results.get(result) ?? 0) + 1);
        lastAt = clock.monotonic();
      },
    );
  }
  await clock.pass(msLeft);
  return { results: Object.fromEntries(results), lastAt };
}

for (const msLeft of [20_000, 1_000]) {
  Deno.test(`20 000 leaves with ${msLeft} ms each are sent, once each`, async () => {
    const clock = createVirtualTime();
    const events = createDelayedEvents(clock);
    const perform = await createQueue(clock, { attempt: createAttempt(clock, () => events) });
    const { results, lastAt } = await sendAll(clock, perform, events, 20_000, msLeft);
    await clock.pass(5_000);
    assertEquals(statuses(events), { 200: 20_000 });
    assert(lastAt <= 6_000, `${lastAt}`);
    if (msLeft > 6_000) assertEquals(results, { done: 20_000 });
    events.close();
    assertEquals(clock.timers, 0);
  });
}

Deno.test("leaves go as fast as a homeserver with limits takes them", async () => {
  const clock = createVirtualTime();
  const events = createDelayedEvents(clock);
  events.settings.rateLimit = { perSecond: 100, burst: 20 };
  const perform = await createQueue(clock, { attempt: createAttempt(clock, () => events) });
  const { results, lastAt } = await sendAll(clock, perform, events, 2_000, 60_000);
  assertEquals(results, { done: 2_000 });
  const { 429: limited = 0 } = statuses(events);
  // 20 s would be perfect; what looking for the limit costs is time, not requests.
  assert(lastAt < 30_000 && limited < 100, `${lastAt} ms, ${limited} limited`);
});

Deno.test("a homeserver that hangs delays nothing at another one", async () => {
  const clock = createVirtualTime();
  const events = createDelayedEvents(clock);
  const perform = await createQueue(clock, {
    attempt: createAttempt(clock, () => events, (serverName) => serverName === "hangs.example"),
  });
  const endings: number[] = [];
  for (let i = 0; i < 5_000; i++) {
    events.schedule(`${i}`, 60_000);
    const serverName = i < 4_000 ? "hangs.example" : `works-${i}.example`;
    const job = createJob(`${i}`, serverName);
    void perform({ job, act: "restart", deadline: 60_000, isWanted: () => true }).then((result) => {
      if (result === "done") endings.push(clock.monotonic());
    });
  }
  await clock.pass(120_000);
  assertEquals(endings, Array(1_000).fill(LATENCY_MS));
  events.close();
  assertEquals(clock.timers, 0);
});
