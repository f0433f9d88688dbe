import { assertEquals, assertMatch } from "@std/assert";
import { UpstreamError } from "../../lib/matrix/errors.ts";
import { failureOf, hopOf } from "../net/fixtures.ts";
import { type Answer, createWorld, delegation, srvRecord, type WorldOptions } from "./fixtures.ts";

const WELL_KNOWN = "example.org/.well-known/matrix/server";
const FED = "_matrix-fed._tcp.example.org";
const OLD = "_matrix._tcp.example.org";
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** The rows of the specification: where to connect, the TLS name, the Host header. */
const rows: { step: string; name: string; world?: WorldOptions; expected: string }[] = [
  {
    step: "1, IPv4",
    name: "1.2.3.4",
    expected: "1.2.3.4 8448 | tls 1.2.3.4 | host 1.2.3.4",
  },
  {
    step: "1, IPv4 with port",
    name: "1.2.3.4:443",
    expected: "1.2.3.4 443 | tls 1.2.3.4 | host 1.2.3.4:443",
  },
  {
    step: "1, IPv6",
    name: "[2a01::1]",
    expected: "2a01::1 8448 | tls 2a01::1 | host [2a01::1]",
  },
  {
    step: "1, IPv6 with port",
    name: "[2a01::1]:443",
    expected: "2a01::1 443 | tls 2a01::1 | host [2a01::1]:443",
  },
  {
    step: "2",
    name: "example.org:8008",
    world: { web: { [WELL_KNOWN]: delegation("never.example") } },
    expected: "example.org 8008 | tls example.org | host example.org:8008",
  },
  {
    step: "3.1, IPv4",
    name: "example.org",
    world: { web: { [WELL_KNOWN]: delegation("1.2.3.4") } },
    expected: "1.2.3.4 8448 | tls 1.2.3.4 | host 1.2.3.4",
  },
  {
    step: "3.1, IPv6 with port",
    name: "example.org",
    world: { web: { [WELL_KNOWN]: delegation("[2a01::1]:443") } },
    expected: "2a01::1 443 | tls 2a01::1 | host [2a01::1]:443",
  },
  {
    step: "3.2",
    name: "example.org",
    world: {
      web: { [WELL_KNOWN]: delegation("matrix.example.org:443") },
      srv: { "_matrix-fed._tcp.matrix.example.org": [srvRecord("never.example", 1)] },
    },
    expected: "matrix.example.org 443 | tls matrix.example.org | host matrix.example.org:443",
  },
  {
    step: "3.3",
    name: "example.org",
    world: {
      web: { [WELL_KNOWN]: delegation("matrix.example.org") },
      srv: {
        "_matrix-fed._tcp.matrix.example.org": [srvRecord("node.hosting.example.", 4443)],
        "_matrix._tcp.matrix.example.org": [srvRecord("never.example", 1)],
        [FED]: [srvRecord("never.example", 1)],
      },
    },
    expected: "node.hosting.example 4443 | tls matrix.example.org | host matrix.example.org",
  },
  {
    step: "3.4",
    name: "example.org",
    world: {
      web: { [WELL_KNOWN]: delegation("matrix.example.org") },
      srv: { "_matrix._tcp.matrix.example.org": [srvRecord("node.hosting.example", 4443)] },
    },
    expected: "node.hosting.example 4443 | tls matrix.example.org | host matrix.example.org",
  },
  {
    step: "3.5",
    name: "example.org",
    world: { web: { [WELL_KNOWN]: delegation("matrix.example.org") } },
    expected: "matrix.example.org 8448 | tls matrix.example.org | host matrix.example.org",
  },
  {
    step: "4",
    name: "example.org",
    world: {
      srv: {
        [FED]: [srvRecord("node.hosting.example.", 4443)],
        [OLD]: [srvRecord("x.example", 1)],
      },
    },
    expected: "node.hosting.example 4443 | tls example.org | host example.org",
  },
  {
    step: "5",
    name: "example.org",
    world: { srv: { [OLD]: [srvRecord("node.hosting.example", 4443)] } },
    expected: "node.hosting.example 4443 | tls example.org | host example.org",
  },
  {
    step: "6",
    name: "example.org",
    expected: "example.org 8448 | tls example.org | host example.org",
  },
  {
    step: "6, letters as they were written",
    name: "Example.ORG",
    expected: "Example.ORG 8448 | tls Example.ORG | host Example.ORG",
  },
  {
    step: "3 is not applied again",
    name: "example.org",
    world: {
      web: {
        [WELL_KNOWN]: delegation("matrix.example.org"),
        "matrix.example.org/.well-known/matrix/server": delegation("never.example"),
      },
    },
    expected: "matrix.example.org 8448 | tls matrix.example.org | host matrix.example.org",
  },
  {
    step: "3 leading back to the name itself",
    name: "example.org",
    world: { web: { [WELL_KNOWN]: delegation("example.org:443") } },
    expected: "example.org 443 | tls example.org | host example.org:443",
  },
];
for (const { step, name, world, expected } of rows) {
  Deno.test(`resolve() follows the specification, step ${step}`, async () => {
    assertEquals(await createWorld(world).where(name), expected);
  });
}

Deno.test("resolve() asks neither web nor DNS about names with an address or a port", async () => {
  const world = createWorld();
  for (const name of ["1.2.3.4", "[::1]", "example.org:443"]) await world.resolver.resolve(name);
  assertEquals([world.client.calls, world.srvAsked], [[], []]);
});

Deno.test("resolve() asks for the new service before the old one, for that only if need be", async () => {
  const world = createWorld({ srv: { [FED]: [srvRecord("node.example", 1)] } });
  await world.resolver.resolve("example.org");
  assertEquals(world.srvAsked, [FED]);
  const other = createWorld();
  await other.resolver.resolve("example.org");
  assertEquals(other.srvAsked, [FED, OLD]);
});

Deno.test("resolve() lists all targets of SRV records by priority", async () => {
  const world = createWorld({
    srv: { [FED]: [srvRecord("b.example", 2, 20), srvRecord("a.example", 1, 10)] },
  });
  assertEquals(
    await world.where("example.org"),
    "a.example 1, b.example 2 | tls example.org | host example.org",
  );
});

Deno.test("resolve() fails where SRV records say that nothing is offered", async () => {
  const world = createWorld({
    srv: { [FED]: [srvRecord(".", 0)], [OLD]: [srvRecord("x.example", 1)] },
  });
  const [hop, message] = await hopOf(world.resolver.resolve("example.org"));
  assertEquals(hop, "dns");
  assertMatch(message, /_matrix-fed\._tcp\.example\.org.*not offered/);
});

Deno.test("resolve() guesses no port for a server whose name server fails", async () => {
  const world = createWorld({ srv: { [FED]: new Error("SERVFAIL") } });
  const failure = await failureOf(world.resolver.resolve("example.org"));
  assertEquals(failure.hop, "dns");
  assertMatch(failure.message, /cannot look up SRV _matrix-fed\._tcp\.example\.org .*SERVFAIL/);
});

Deno.test("resolve() guesses the port for the operator's own server, if it never knew better", async () => {
  const world = createWorld({
    isOwn: () => true,
    srv: { [FED]: new Error("x"), [OLD]: new Error("x") },
  });
  assertEquals(
    await world.where("example.org"),
    "example.org 8448 | tls example.org | host example.org",
  );
  world.srv[FED] = [srvRecord("node.example", 1)];
  world.clock.advance(5 * MINUTE_MS);
  const found = "node.example 1 | tls example.org | host example.org";
  assertEquals(await world.where("example.org"), found);
  world.srv[FED] = new Error("x");
  world.clock.advance(5 * MINUTE_MS);
  assertEquals(await world.where("example.org"), found);
});

Deno.test("resolve() keeps an old answer while a name server fails, not once it says no", async () => {
  const world = createWorld({ srv: { [FED]: [srvRecord("node.example", 1)] } });
  const found = "node.example 1 | tls example.org | host example.org";
  assertEquals(await world.where("example.org"), found);
  world.srv[FED] = new Error("SERVFAIL");
  world.clock.advance(5 * MINUTE_MS);
  assertEquals(await world.where("example.org"), found);
  world.clock.advance(29_999);
  await world.resolver.resolve("example.org");
  assertEquals(world.srvAsked.length, 2);
  world.clock.advance(1);
  world.srv[FED] = [srvRecord(".", 0)];
  assertEquals((await hopOf(world.resolver.resolve("example.org")))[0], "dns");
});

Deno.test("resolve() asks DNS again after five minutes", async () => {
  const world = createWorld({ srv: { [FED]: [srvRecord("node.example", 1)] } });
  await world.resolver.resolve("example.org");
  world.clock.advance(5 * MINUTE_MS - 1);
  assertEquals(world.resolver.peek("example.org")?.target.endpoints[0]?.host, "node.example");
  await world.resolver.resolve("example.org");
  assertEquals(world.srvAsked.length, 1);
  world.clock.advance(1);
  assertEquals(world.resolver.peek("example.org"), undefined);
  await world.resolver.resolve("example.org");
  assertEquals(world.srvAsked.length, 2);
});

/** How long an answer keeps the well-known file from being asked for again. */
async function keptFor(answer: Answer, world: Partial<WorldOptions> = {}): Promise<number> {
  const { resolver, client, clock } = createWorld({ web: { [WELL_KNOWN]: answer }, ...world });
  await resolver.resolve("example.org");
  while (true) {
    await resolver.resolve("example.org");
    if (client.calls.length > 1) return clock.monotonic();
    clock.advance(MINUTE_MS);
  }
}

const caching = [
  ["no header", {}, 24 * HOUR_MS],
  ["max-age", { "cache-control": "max-age=3600" }, HOUR_MS],
  ["a huge max-age", { "cache-control": "max-age=99999999999999999999" }, 48 * HOUR_MS],
  ["a short max-age", { "cache-control": "max-age=60" }, MINUTE_MS],
  ["max-age of 0", { "cache-control": "max-age=0" }, 0],
  ["no-store", { "cache-control": "no-store" }, 0],
  ["Expires", { expires: "Thu, 01 Jan 2026 02:00:00 GMT" }, 2 * HOUR_MS],
  ["max-age before Expires", {
    "cache-control": "public, max-age=600",
    expires: "Thu, 01 Jan 2026 02:00:00 GMT",
  }, 10 * MINUTE_MS],
] as const;
for (const [what, headers, expected] of caching) {
  Deno.test(`resolve() keeps a delegation as long as ${what} says`, async () => {
    assertEquals(await keptFor(delegation("delegated.example:1", headers)), expected);
  });
}

Deno.test("resolve() asks a failing web server less and less, every hour in the end", async () => {
  const { resolver, client, clock } = createWorld({ web: { [WELL_KNOWN]: { status: 500 } } });
  const gaps: number[] = [];
  for (let last = 0; gaps.length < 9;) {
    const { length } = client.calls;
    resolver.forget("example.org");
    await resolver.resolve("example.org");
    if (client.calls.length > length) {
      gaps.push((clock.monotonic() - last) / MINUTE_MS);
      last = clock.monotonic();
    }
    clock.advance(MINUTE_MS);
  }
  assertEquals(gaps, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
});

Deno.test("resolve() forgets failures once the web server has answered", async () => {
  const { resolver, client, clock, web } = createWorld({ web: { [WELL_KNOWN]: { status: 500 } } });
  const resolveAfter = async (ms: number) => {
    clock.advance(ms);
    resolver.forget("example.org");
    await resolver.resolve("example.org");
    return client.calls.length;
  };
  assertEquals(await resolveAfter(0), 1);
  assertEquals(await resolveAfter(MINUTE_MS), 2);
  web[WELL_KNOWN] = delegation("delegated.example:1", { "cache-control": "max-age=600" });
  assertEquals(await resolveAfter(2 * MINUTE_MS), 3);
  web[WELL_KNOWN] = { status: 500 };
  assertEquals(await resolveAfter(10 * MINUTE_MS), 4);
  assertEquals(await resolveAfter(MINUTE_MS), 5);
});

Deno.test("resolve() looks at the operator's own server again after 5 s", async () => {
  const { resolver, client, clock } = createWorld({
    isOwn: () => true,
    web: { [WELL_KNOWN]: { status: 500 } },
  });
  for (let i = 1; i < 5; i++) {
    resolver.forget("example.org");
    await resolver.resolve("example.org");
    assertEquals(client.calls.length, i);
    clock.advance(5_000);
  }
});

Deno.test("resolve() asks once for all who ask at once, and again after a failure", async () => {
  const world = createWorld({ srv: { [FED]: new Error("SERVFAIL") } });
  const names = Array(10).fill("example.org");
  const failures = await Promise.all(names.map((name) => hopOf(world.resolver.resolve(name))));
  assertEquals(failures.map(([hop]) => hop), Array(10).fill("dns"));
  assertEquals([world.client.calls.length, world.srvAsked.length], [1, 1]);
  world.srv[FED] = [srvRecord("node.example", 1)];
  await Promise.all(names.map((name) => world.resolver.resolve(name)));
  assertEquals([world.client.calls.length, world.srvAsked.length], [1, 2]);
});

Deno.test("resolve() keeps names apart that differ in case or port only", async () => {
  const world = createWorld();
  const names = ["example.org", "EXAMPLE.org", "example.org:8448"];
  const keys = await Promise.all(
    names.map(async (name) => (await world.resolver.resolve(name)).target.key),
  );
  assertEquals(new Set(keys).size, 3);
});

Deno.test("forget() makes the next look-up ask again, and keeps the old answer at hand", async () => {
  const world = createWorld({ srv: { [FED]: [srvRecord("node.example", 1)] } });
  await world.resolver.resolve("example.org");
  world.resolver.forget("example.org");
  assertEquals(world.resolver.peek("example.org"), undefined);
  world.srv[FED] = new Error("SERVFAIL");
  assertEquals(
    await world.where("example.org"),
    "node.example 1 | tls example.org | host example.org",
  );
  assertEquals(world.srvAsked.length, 2);
  world.resolver.forget("never seen");
});

Deno.test("resolve() takes an override as it stands, path and plain http included", async () => {
  const world = createWorld({
    overrides: new Map([
      ["example.org", "http://synapse:8008/prefix/"],
      ["[::1]", "https://[fd00::2]:8448"],
    ]),
  });
  const server = await world.resolver.resolve("example.org");
  assertEquals([server.target.protocol, server.basePath, server.target.mayBePrivate], [
    "http",
    "/prefix",
    true,
  ]);
  assertEquals(await world.where("example.org"), "synapse 8008 | tls synapse | host synapse:8008");
  assertEquals(await world.where("[::1]"), "fd00::2 8448 | tls fd00::2 | host [fd00::2]:8448");
  assertEquals([world.client.calls, world.srvAsked], [[], []]);
  world.clock.advance(1e12);
  assertEquals(
    world.resolver.peek("example.org")?.how,
    "example.org at http://synapse:8008/prefix/",
  );
});

Deno.test("resolve() lets only the operator's own servers live on private addresses", async () => {
  const world = createWorld({
    isOwn: (name) => name === "own.example",
    maxConnections: (name) => name === "own.example" ? 256 : 64,
    web: {
      "own.example/.well-known/matrix/server": delegation("matrix.own.example:443"),
      "foreign.example/.well-known/matrix/server": delegation("matrix.own.example:443"),
    },
  });
  const own = (await world.resolver.resolve("own.example")).target;
  const foreign = (await world.resolver.resolve("foreign.example")).target;
  assertEquals([own.mayBePrivate, own.maxConnections], [true, 256]);
  assertEquals([foreign.mayBePrivate, foreign.maxConnections], [false, 64]);
  // The same place, yet no connection in common: a foreign name must not ride on an allowed one.
  assertEquals(own.key === foreign.key, false);
  assertEquals(world.client.calls.map(({ target }) => target.mayBePrivate), [true, false]);
});

Deno.test("resolve() says by which way a server was found", async () => {
  const world = createWorld({ web: { [WELL_KNOWN]: delegation("matrix.example.org:443") } });
  const how = async (name: string) => (await world.resolver.resolve(name)).how;
  assertEquals(await how("example.org"), "example.org, delegated to matrix.example.org:443");
  assertEquals(await how("other.example:1"), "other.example:1");
  assertEquals(
    await how("other.example"),
    "other.example, not delegated (other.example refuses)",
  );
});

Deno.test("resolve() throws what is no failure of the other server", async () => {
  const world = createWorld();
  world.client.request = () => Promise.reject(new TypeError("a bug of ours"));
  const error = await world.resolver.resolve("example.org").catch((error) => error);
  assertEquals([error instanceof UpstreamError, error.message], [false, "a bug of ours"]);
});
