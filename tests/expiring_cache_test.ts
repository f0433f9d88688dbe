import { assertEquals, assertRejects } from "@std/assert";
import { ExpiringCache, type Lease } from "../lib/expiring_cache.ts";
import { createManualClock } from "./support/manual_clock.ts";

function createCache(maxEntries = 10) {
  const clock = createManualClock();
  const cache = new ExpiringCache<string>({ maxEntries, now: clock.monotonic });
  let loads = 0;
  const previous: (string | undefined)[] = [];
  const load = (maxAgeMs: number) => (old: string | undefined): Promise<Lease<string>> => {
    previous.push(old);
    return Promise.resolve({ value: `load ${++loads}`, maxAgeMs });
  };
  return { clock, cache, load, previous };
}

Deno.test("ExpiringCache.get() loads again once an entry is too old, told of the old value", async () => {
  const { clock, cache, load, previous } = createCache();
  assertEquals(await cache.get("key", load(100)), "load 1");
  clock.advance(99);
  assertEquals([cache.peek("key"), await cache.get("key", load(100))], ["load 1", "load 1"]);
  clock.advance(1);
  assertEquals(cache.peek("key"), undefined);
  assertEquals(await cache.get("key", load(100)), "load 2");
  assertEquals(previous, [undefined, "load 1"]);
});

Deno.test("ExpiringCache.get() keeps nothing for no time, everything for ever", async () => {
  const { clock, cache, load } = createCache();
  await cache.get("key", load(0));
  assertEquals(await cache.get("key", load(Infinity)), "load 2");
  clock.advance(1e15);
  assertEquals(cache.peek("key"), "load 2");
});

Deno.test("ExpiringCache.get() shares a load among those who ask at once, key by key", async () => {
  const { cache, load } = createCache();
  const asked = ["a", "a", "b", "a"].map((key) => cache.get(key, load(0)));
  assertEquals(await Promise.all(asked), ["load 1", "load 1", "load 2", "load 1"]);
  assertEquals(await cache.get("a", load(0)), "load 3");
});

Deno.test("ExpiringCache.get() gives a failure to all who wait, and remembers none", async () => {
  const { cache, load } = createCache();
  let fails = 0;
  const fail = () => Promise.reject(new RangeError(`failure ${++fails}`));
  const asked = [1, 2, 3].map(() => assertRejects(() => cache.get("key", fail), RangeError));
  await Promise.all(asked);
  assertEquals([fails, await cache.get("key", load(1))], [1, "load 1"]);
  await assertRejects(() =>
    cache.get("other", () => {
      throw new RangeError("thrown at once");
    }), RangeError);
  assertEquals(await cache.get("other", load(1)), "load 2");
});

Deno.test("ExpiringCache.get() keeps the old value through a failure", async () => {
  const { clock, cache, load, previous } = createCache();
  await cache.get("key", load(1));
  clock.advance(1);
  await assertRejects(() => cache.get("key", () => Promise.reject(new Error("no"))), Error);
  await cache.get("key", load(1));
  assertEquals(previous, [undefined, "load 1"]);
});

Deno.test("ExpiringCache.expire() makes an entry old, not forgotten", async () => {
  const { cache, load, previous } = createCache();
  await cache.get("key", load(Infinity));
  cache.expire("key");
  cache.expire("other");
  assertEquals([cache.peek("key"), cache.peekStale("key")], [undefined, "load 1"]);
  assertEquals(cache.peekStale("other"), undefined);
  await cache.get("key", load(1));
  assertEquals(previous, [undefined, "load 1"]);
});

Deno.test("ExpiringCache drops the entry used least recently when there are too many", async () => {
  const { cache, load } = createCache(2);
  await cache.get("a", load(1));
  await cache.get("b", load(1));
  cache.peek("a");
  await cache.get("c", load(1));
  assertEquals(["a", "b", "c"].map((key) => cache.peek(key)), ["load 1", undefined, "load 3"]);
});
