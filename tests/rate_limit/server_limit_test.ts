import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { RateLimitedError } from "../../lib/rate_limit/rate_limited_error.ts";
import { createServerLimit } from "../../lib/rate_limit/server_limit.ts";
import { WindowCounter } from "../../lib/rate_limit/window_counter.ts";
import { createManualClock } from "../support/manual_clock.ts";

function createWorld() {
  const clock = createManualClock();
  const counter = new WindowCounter({ limit: 2, windowMs: 60_000, maxKeys: 10, clock });
  const limit = createServerLimit({ counter, isExempt: (name) => name === "own.example", clock });
  const refusal = (name: string): RateLimitedError | undefined => {
    try {
      limit(name);
      return undefined;
    } catch (error) {
      assertInstanceOf(error, RateLimitedError);
      return error;
    }
  };
  return { clock, counter, limit, refusal };
}

Deno.test("a server's users may come so often, then 429 until the window ends", () => {
  const { clock, limit, refusal } = createWorld();
  limit("a.example");
  limit("a.example");
  clock.advance(1_500);
  const error = refusal("a.example")!;
  assertEquals([error.limited, error.who, error.status, error.errcode], [
    "server",
    "a.example",
    429,
    "M_LIMIT_EXCEEDED",
  ]);
  assertEquals(error.retryAfterSeconds, 59);
  limit("b.example");
  clock.advance(58_500);
  limit("a.example");
});

Deno.test("servers that the operator has named may come always", () => {
  const { counter, limit } = createWorld();
  for (let n = 0; n < 10; n++) limit("own.example");
  assertEquals(counter.size, 0);
});

Deno.test("servers on this machine count by their ports", () => {
  for (const host of ["localhost", "127.0.0.1", "[::1]"]) {
    const { limit } = createWorld();
    for (const port of [8448, 8449]) {
      limit(`${host}:${port}`);
      limit(`${host}:${port}`);
      assertThrows(() => limit(`${host}:${port}`), RateLimitedError);
    }
  }
});

Deno.test("other spellings and ports of a host do not count apart", () => {
  for (
    const names of [
      ["evil.example", "EVIL.example", "evil.example:443"],
      ["evil.example:1", "evil.example:2", "Evil.Example."],
      ["[2001:db8::1]", "[2001:db8:0::2]:8448", "[2001:DB8::3]"],
      ["203.0.113.7", "203.0.113.7:1", "[::ffff:203.0.113.7]"],
    ]
  ) {
    const { limit } = createWorld();
    limit(names[0]!);
    limit(names[1]!);
    assertThrows(() => limit(names[2]!), RateLimitedError);
  }
});

Deno.test("what is no server name is not counted", () => {
  const { counter, limit } = createWorld();
  for (const name of ["", "https://a", "a b", "x".repeat(300)]) limit(name);
  assertEquals(counter.size, 0);
});

Deno.test("the log is told once a minute, and of no more than 100 in one", () => {
  const { clock, refusal } = createWorld();
  const news = (name: string) => refusal(name)?.isNews;
  assertEquals([news("a.a"), news("a.a"), news("a.a"), news("a.a")], [
    undefined,
    undefined,
    true,
    false,
  ]);
  clock.advance(60_000);
  assertEquals([news("a.a"), news("a.a"), news("a.a"), news("a.a")], [
    undefined,
    undefined,
    true,
    false,
  ]);
  const flood = Array.from({ length: 300 }, (_, n) => {
    const name = `s${n}.example`;
    return [news(name), news(name), news(name)].pop();
  });
  assertEquals(flood.filter((isNews) => isNews).length, 99);
});
