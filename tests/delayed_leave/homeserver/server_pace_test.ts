import { assert, assertEquals } from "@std/assert";
import { ServerPace } from "../../../lib/delayed_leave/homeserver/server_pace.ts";

/** Takes as much as the pace lets through until a time; gives how many that were. */
function takeUntil(pace: ServerPace, from: number, end: number): number {
  let taken = 0;
  for (let now = from; now < end; now = Math.max(now + 1, Math.ceil(pace.opensAt(now)))) {
    if (pace.opensAt(now) > now) continue;
    pace.begin(now);
    pace.onTaken(now);
    taken++;
  }
  return taken;
}

/** A pace that a server has slowed down after it had taken so many a second. */
function slowed(perSecond: number, retryAfterMs = 1_000): ServerPace {
  const pace = new ServerPace();
  for (let i = 0; i < perSecond; i++) {
    pace.begin(0);
    pace.onTaken(0);
  }
  pace.onLimited(1, 0, retryAfterMs);
  return pace;
}

Deno.test("ServerPace lets everything through until there is a 429", () => {
  const pace = new ServerPace();
  for (let i = 0; i < 1_000; i++) {
    assertEquals(pace.opensAt(i), i);
    pace.begin(i);
    pace.onTaken(i);
  }
  assertEquals([pace.perSecond, pace.isFree(1_000)], [Infinity, true]);
});

Deno.test("ServerPace pauses as told, the longest counts, but for an hour at most", () => {
  const pace = slowed(5, 3_000);
  pace.onLimited(2, 0, 500);
  assertEquals([pace.opensAt(2), pace.isFree(2)], [3_001, false]);
  pace.onLimited(3, 0, 1e15);
  assertEquals(pace.opensAt(3), 3_600_003);
});

Deno.test("ServerPace goes on with what the server has taken, one at a time", () => {
  const pace = slowed(5);
  const rate = pace.perSecond;
  assert(rate > 4.9 && rate <= 5, `${rate}`);
  pace.begin(1_001);
  assertEquals(Math.round(pace.opensAt(1_001)), 1_201);
  assertEquals(pace.opensAt(60_000), 60_000);
});

Deno.test("ServerPace keeps no more requests for later than for a moment", () => {
  const pace = slowed(110);
  let together = 0;
  while (pace.opensAt(60_000) === 60_000) {
    pace.begin(60_000);
    together++;
  }
  assertEquals(together, 5);
});

Deno.test("ServerPace is slowed once by 429s of requests that were under way together", () => {
  const pace = slowed(10);
  const rate = pace.perSecond;
  pace.onLimited(2, 0, 1_000);
  pace.onLimited(3, 1, 1_000);
  assertEquals(pace.perSecond, rate);
  pace.onLimited(1_100, 1_050, 1_000);
  assert(pace.perSecond < rate * 0.71, `${pace.perSecond}`);
});

Deno.test("ServerPace never goes slower than it is told to", () => {
  const pace = slowed(10);
  for (let now = 1_000; now < 100_000; now += 1_000) pace.onLimited(now + 10, now, 500);
  assertEquals(pace.perSecond, 2);
});

Deno.test("ServerPace goes faster until there is no limit any more", () => {
  const pace = slowed(5);
  assert(takeUntil(pace, 1_001, 5_001) > 40);
  takeUntil(pace, 5_001, 60_000);
  assertEquals(pace.perSecond, Infinity);
  pace.onLimited(60_000, 59_999, 1_000);
  assert(pace.perSecond > 500 && pace.perSecond <= 1_000, `${pace.perSecond}`);
});

Deno.test("ServerPace grows slowly once it knows about where the limit is", () => {
  const pace = slowed(10);
  pace.onLimited(1_500, 1_400, 1_000);
  const rate = pace.perSecond;
  takeUntil(pace, 2_500, 4_500);
  assert(pace.perSecond > rate * 1.1 && pace.perSecond < rate * 1.35, `${pace.perSecond}`);
});
