import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { WindowCounter } from "../../lib/rate_limit/window_counter.ts";
import { createManualClock } from "../support/manual_clock.ts";

function createWorld({ limit = 3, windowMs = 1_000, maxKeys = 100 } = {}) {
  const clock = createManualClock();
  const taken: string[] = [];
  const counter = new WindowCounter({
    limit,
    windowMs,
    maxKeys,
    clock,
    onTaken: (key) => taken.push(key),
  });
  return { clock, counter, taken };
}

Deno.test("take() allows as much as the limit, then says how long its window lasts", () => {
  const { clock, counter, taken } = createWorld();
  assertEquals([counter.take("a", 1), counter.take("a", 2)], [0, 0]);
  clock.advance(400);
  assertEquals([counter.take("a", 1), counter.take("b", 3)], [600, 0]);
  assertEquals(taken, ["a", "a", "b"]);
  clock.advance(599);
  assertEquals(counter.take("a", 1), 1);
  clock.advance(1);
  assertEquals(counter.take("a", 3), 0);
});

Deno.test("take() takes nothing when it is too much, so something smaller still fits", () => {
  const { counter } = createWorld();
  assertEquals([2, 2, 1].map((cost) => counter.take("a", cost)), [0, 1_000, 0]);
});

Deno.test("add() counts beyond the limit", () => {
  const { clock, counter } = createWorld();
  counter.add("a", 10);
  assertEquals(counter.take("a", 1), 1_000);
  clock.advance(1_000);
  assertEquals(counter.take("a", 1), 0);
});

Deno.test("keys whose windows have ended are forgotten", () => {
  const { clock, counter } = createWorld();
  for (let n = 0; n < 50; n++) counter.take(`old ${n}`, 1);
  clock.advance(1_000);
  counter.take("new", 1);
  assertEquals(counter.size, 1);
});

Deno.test("100 000 clients take no more memory than those that are remembered", () => {
  const { counter } = createWorld({ maxKeys: 20_000 });
  for (let n = 0; n < 100_000; n++) {
    counter.take(`2001:db8:${(n >> 16).toString(16)}:${(n & 0xffff).toString(16)}::/64`, 1);
    assert(counter.size <= 20_000);
  }
  assertEquals(counter.size, 20_000);
  // The newest are the ones that are remembered.
  assertEquals(counter.take("2001:db8:1:869f::/64", 3), 1_000);
  assertEquals(counter.take("2001:db8:0:0::/64", 3), 0);
});

Deno.test("tell() tells each part once, and learn() adds what others have counted", () => {
  const { clock, counter } = createWorld({ limit: 10 });
  counter.take("a", 2);
  assertEquals([counter.tell("a"), counter.tell("a"), counter.tell("b")], [2, 0, 0]);
  counter.take("a", 1);
  counter.learn("a", { total: 8, msLeft: 300 });
  // 8 of all, and 1 that nobody has been told of.
  assertEquals([counter.take("a", 2), counter.take("a", 1)], [300, 0]);
  clock.advance(300);
  assertEquals([counter.take("a", 10), counter.tell("a")], [0, 10]);
});

Deno.test("learn() never makes less of what was counted here, nor more of the window", () => {
  const { clock, counter } = createWorld({ limit: 10 });
  counter.take("a", 10);
  counter.tell("a");
  counter.learn("a", { total: 1, msLeft: 5_000 });
  assertEquals(counter.take("a", 1), 1_000);
  clock.advance(1_000);
  counter.learn("a", { total: 100, msLeft: 1_000 });
  assertEquals(counter.take("a", 10), 0);
  counter.learn("unknown", { total: 100, msLeft: 1_000 });
  assertEquals(counter.take("unknown", 10), 0);
});

Deno.test("no key ever takes more than its limit within a window", () => {
  const step = fc.record({
    key: fc.constantFrom("a", "b", "c"),
    cost: fc.constantFrom(1, 10),
    ms: fc.nat(700),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const { clock, counter } = createWorld({ limit: 15 });
    const taken: { key: string; cost: number; at: number }[] = [];
    const starts = new Map<string, number>();
    for (const { key, cost, ms } of steps) {
      clock.advance(ms);
      const at = clock.monotonic();
      if (at - (starts.get(key) ?? -Infinity) >= 1_000) starts.set(key, at);
      const msLeft = counter.take(key, cost);
      if (msLeft === 0) taken.push({ key, cost, at });
      else assertEquals(msLeft, starts.get(key)! + 1_000 - at);
      const inWindow = taken.filter((one) => one.key === key && one.at >= starts.get(key)!);
      const sum = inWindow.reduce((all, one) => all + one.cost, 0);
      assert(sum <= 15);
      if (msLeft > 0) assert(sum + cost > 15);
    }
  }));
});
