import { assertEquals, assertThrows } from "@std/assert";
import { InvalidValueError } from "../../../lib/config/parse/invalid_value.ts";
import { parseRedisUrl, readRedisUrl } from "../../../lib/config/parse/parse_redis_url.ts";

interface Expected {
  place: unknown;
  database?: number;
  user?: string;
  password?: string;
}

const cases: Record<string, Expected> = {
  "redis://cache": { place: { host: "cache", port: 6379, tls: false } },
  "REDIS://cache:6380/": { place: { host: "cache", port: 6380, tls: false } },
  "valkeys://cache": { place: { host: "cache", port: 6379, tls: true } },
  "redis://[::1]:7000/3": { place: { host: "::1", port: 7000, tls: false }, database: 3 },
  "redis://cache/3?db=4": { place: { host: "cache", port: 6379, tls: false }, database: 4 },
  "rediss://me:p%40ss%3A@cache/15": {
    place: { host: "cache", port: 6379, tls: true },
    database: 15,
    user: "me",
    password: "p@ss:",
  },
  "redis://:100%@cache": {
    place: { host: "cache", port: 6379, tls: false },
    password: "100%",
  },
  "unix:///run/a%20b.sock": { place: { path: "/run/a b.sock" } },
  "/run/redis.sock?db=2": { place: { path: "/run/redis.sock" }, database: 2 },
  "valkey+unix://me:pa%2Fss@/run/redis.sock?db=1": {
    place: { path: "/run/redis.sock" },
    database: 1,
    user: "me",
    password: "pa/ss",
  },
};

for (const [text, { place, database = 0, user, password }] of Object.entries(cases)) {
  Deno.test(`readRedisUrl() reads ${text}`, () => {
    const address = readRedisUrl(text);
    assertEquals(
      { ...address, password: address.password?.reveal() },
      { place, database, password, ...(user === undefined ? {} : { user }) } as typeof address & {
        password: string | undefined;
      },
    );
  });
}

Deno.test("parseRedisUrl() names parameters that have no effect, and not their values", () => {
  const warnings: string[] = [];
  const context = { warn: (message: string) => warnings.push(message), readFile: () => "" };
  parseRedisUrl("redis://cache?protocol=3&pass=hunter2&db=1", context);
  assertEquals(warnings, ["has parameters that are ignored: protocol, pass"]);
});

Deno.test("parseRedisUrl() refuses what a socket cannot be at", () => {
  const context = { warn: () => {}, readFile: () => "" };
  for (const text of ["unix://", "unix://host/path", "unix:///a#b", "unix:///a b", "run/a.sock"]) {
    assertThrows(() => parseRedisUrl(text, context), InvalidValueError, undefined, text);
  }
});
