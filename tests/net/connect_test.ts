import { assertEquals, assertMatch } from "@std/assert";
import { createConnect } from "../../lib/net/connect.ts";
import type { HttpTarget } from "../../lib/net/http_client.ts";
import { startHttpServer } from "../fakes/http_server.ts";
import { startRawServer } from "../fakes/raw_server.ts";
import { createManualClock } from "../support/manual_clock.ts";
import { createTestCa } from "../support/test_ca.ts";
import {
  endsWhatIsDestroyed,
  get,
  hopOf,
  localTarget,
  noLookup,
  publicOnly,
  realClock,
  startClient,
} from "./fixtures.ts";

const ca = await createTestCa();
const tls = await ca.issue(["matrix.example.org"]);

async function freePort(): Promise<number> {
  await using server = startRawServer({ handle: () => {} });
  return server.port;
}

function tlsTarget(ports: number[], parts: Partial<HttpTarget> = {}): HttpTarget {
  return localTarget(0, {
    protocol: "https",
    endpoints: ports.map((port) => ({ host: "127.0.0.1", port })),
    tlsName: "matrix.example.org",
    hostHeader: "example.org",
    ...parts,
  });
}

Deno.test("createConnect() speaks to an endpoint as the server it is meant to be", async () => {
  await using server = startHttpServer({ tls, handler: () => new Response("hello") });
  await using client = startClient({ ca: [ca.pem] });
  const response = await client.request(tlsTarget([server.port]), get("/path?query"));
  assertEquals(new TextDecoder().decode(response.body), "hello");
  const [{ host, serverName, path }] = server.requests as [typeof server.requests[0]];
  assertEquals([host, serverName, path], ["example.org", "matrix.example.org", "/path?query"]);
});

Deno.test("createConnect() goes on to the next endpoint when one refuses or has no TLS", async () => {
  await using plain = startHttpServer({ handler: () => new Response() });
  await using server = startHttpServer({ tls, handler: () => new Response("third") });
  await using client = startClient({ ca: [ca.pem] });
  const target = tlsTarget([await freePort(), plain.port, server.port]);
  const response = await client.request(target, get());
  assertEquals(new TextDecoder().decode(response.body), "third");
  assertEquals([plain.connections, plain.requests], [1, []]);
});

Deno.test("createConnect() names what every endpoint failed with", async () => {
  await using foreign = startHttpServer({
    tls: await ca.issue(["other.example"]),
    handler: () => new Response(),
  });
  await using client = startClient({ ca: [ca.pem] });
  const closed = await freePort();
  const [hop, message] = await hopOf(
    client.request(tlsTarget([closed, foreign.port]), get()),
  );
  assertEquals(hop, "tls");
  assertMatch(
    message,
    new RegExp(`127.0.0.1:${closed} \\(ECONNREFUSED\\); no TLS with matrix.example.org: `),
  );
});

Deno.test({
  name: "createConnect() tries no further endpoint after 10 s",
  sanitizeOps: endsWhatIsDestroyed,
  sanitizeResources: endsWhatIsDestroyed,
  async fn() {
    await using server = startRawServer({ handle: () => new Promise(() => {}) });
    const clock = createManualClock();
    const connect = createConnect({
      lookup: noLookup,
      policy: publicOnly,
      trust: { ca: [] },
      insecureSkipVerifyTls: false,
      proxy: { except: [] },
      clock,
    });
    const connecting = hopOf(connect(tlsTarget(Array(6).fill(server.port))));
    for (let i = 0; i < 3; i++) {
      await server.accepted(i + 1);
      await clock.waitForTimer(5_000);
      clock.advance(5_000);
    }
    const [hop, message] = await connecting;
    assertEquals([hop, message.split("; ").length, server.connections], ["tls", 3, 3]);
  },
});

Deno.test("createConnect() refuses private endpoints unless the operator named the server", async () => {
  await using server = startHttpServer({ handler: () => new Response() });
  await using client = startClient();
  const endpoints = ["127.0.0.1", "::ffff:127.0.0.1", "localhost.example"]
    .map((host) => ({ host, port: server.port }));
  for (const endpoint of endpoints) {
    const parts = { endpoints: [endpoint], mayBePrivate: false };
    await using client = startClient({ lookup: () => Promise.resolve(["127.0.0.1"]) });
    const [hop] = await hopOf(client.request(localTarget(server.port, parts), get()));
    assertEquals([endpoint.host, hop, server.connections], [endpoint.host, "policy", 0]);
  }
  const { status } = await client.request(localTarget(server.port), get());
  assertEquals([status, server.connections], [200, 1]);
});

Deno.test("createConnect() keeps connections of named servers from all others", async () => {
  await using server = startHttpServer({ handler: () => new Response() });
  await using client = startClient({ clock: realClock });
  await client.request(localTarget(server.port, { mayBePrivate: true }), get());
  const [hop] = await hopOf(
    client.request(localTarget(server.port, { mayBePrivate: false }), get()),
  );
  assertEquals([hop, server.connections, server.requests.length], ["policy", 1, 1]);
});

Deno.test("createConnect() fails a target without endpoints", async () => {
  await using client = startClient();
  assertEquals((await hopOf(client.request(localTarget(0, { endpoints: [] }), get())))[0], "dns");
});
