/** Resolution and the guard against forged requests, over real sockets, TLS and DNS. */

import { assertEquals, assertMatch } from "@std/assert";
import { createAddressPolicy } from "../../lib/net/address_policy.ts";
import { createServerResolver } from "../../lib/verification/resolve_server.ts";
import { lookupSrv } from "../../lib/verification/srv.ts";
import { type DnsServer, startDnsServer } from "../fakes/dns.ts";
import { type Homeserver, startHomeserver } from "../fakes/homeserver.ts";
import { startHttpServer } from "../fakes/http_server.ts";
import { startRawServer } from "../fakes/raw_server.ts";
import { createTestCa } from "../support/test_ca.ts";
import { get, hopOf, realClock, startClient } from "../net/fixtures.ts";

const ca = await createTestCa();

/** A web server for well-known files: what the fake DNS gives is reached on its port, not on 443. */
interface Options {
  dns: DnsServer;
  /** Where connections to ports 443 and 8448 really go. */
  ports?: Record<number, number>;
  isOwn?: boolean;
  allowNetworks?: string[];
}

function startResolver({ dns, ports = {}, isOwn = false, allowNetworks = [] }: Options) {
  const client = startClient({
    ca: [ca.pem],
    policy: createAddressPolicy(allowNetworks),
    lookup: async (host) => await Deno.resolveDns(host, "A", { nameServer: dns.nameServer }),
  });
  const request: typeof client.request = (target, request) =>
    client.request({
      ...target,
      endpoints: target.endpoints.map(({ host, port }) => ({ host, port: ports[port] ?? port })),
    }, request);
  const resolver = createServerResolver({
    client: { request, close: client.close },
    clock: realClock,
    lookupSrv: (name) => lookupSrv(name, realClock, dns.nameServer),
    overrides: new Map(),
    isOwn: () => isOwn,
    maxConnections: () => 4,
    random: () => 0,
  });
  return {
    /** Resolves a name and asks there for something. */
    async ask(serverName: string) {
      const { target, basePath } = await resolver.resolve(serverName);
      return await request(target, get(`${basePath}/_matrix/probe`));
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}

/** SNI and Host of the requests that reached a server. */
function seenBy({ requests }: Homeserver): [string, string | null, string][] {
  return requests.map(({ path, serverName, host }) => [path, serverName, host]);
}

Deno.test("createServerResolver() leads to an IPv6 literal with a port, without SNI", async () => {
  await using dns = await startDnsServer({});
  await using server = startHomeserver({
    users: {},
    hostname: "::1",
    tls: await ca.issue(["::1"]),
  });
  await using resolver = startResolver({ dns, allowNetworks: ["::1/128"] });
  await resolver.ask(`[::1]:${server.port}`);
  assertEquals(seenBy(server), [["/_matrix/probe", null, `[::1]:${server.port}`]]);
  assertEquals(dns.queries, []);
});

Deno.test("createServerResolver() leads to a name with a port under that name", async () => {
  await using dns = await startDnsServer({ "example.org": { A: ["127.0.0.1"] } });
  await using server = startHomeserver({ users: {}, tls: await ca.issue(["example.org"]) });
  await using resolver = startResolver({ dns, allowNetworks: ["127.0.0.1/32"] });
  await resolver.ask(`example.org:${server.port}`);
  assertEquals(seenBy(server), [["/_matrix/probe", "example.org", `example.org:${server.port}`]]);
});

Deno.test("createServerResolver() leads to a delegated host and port under the delegated name", async () => {
  await using dns = await startDnsServer({
    "example.org": { A: ["127.0.0.1"] },
    "matrix.example.org": { A: ["127.0.0.1"] },
  });
  await using server = startHomeserver({ users: {}, tls: await ca.issue(["matrix.example.org"]) });
  const delegated = `matrix.example.org:${server.port}`;
  await using web = startHomeserver({
    users: {},
    tls: await ca.issue(["example.org"]),
    wellKnown: delegated,
  });
  const ports = { 443: web.port };
  await using resolver = startResolver({ dns, ports, allowNetworks: ["127.0.0.1/32"] });
  await resolver.ask("example.org");
  await resolver.ask("example.org");
  assertEquals(seenBy(web), [["/.well-known/matrix/server", "example.org", "example.org"]]);
  assertEquals(seenBy(server), Array(2).fill(["/_matrix/probe", "matrix.example.org", delegated]));
  assertEquals(server.connections, 1);
});

Deno.test("createServerResolver() leads to SRV targets under the server's own name", async () => {
  await using server = startHomeserver({ users: {}, tls: await ca.issue(["example.org"]) });
  await using gone = startRawServer({ handle: () => {} });
  await gone.close();
  await using dns = await startDnsServer({
    "_matrix-fed._tcp.example.org": {
      SRV: [
        { priority: 20, port: server.port, target: "node.hosting.example" },
        { priority: 10, port: gone.port, target: "node.hosting.example" },
      ],
    },
    "node.hosting.example": { A: ["127.0.0.1"] },
  });
  await using resolver = startResolver({ dns, allowNetworks: ["127.0.0.1/32"] });
  await resolver.ask("example.org");
  assertEquals(seenBy(server), [["/_matrix/probe", "example.org", "example.org"]]);
  assertEquals(dns.count("_matrix._tcp.example.org"), 0);
});

Deno.test("createServerResolver() accepts no certificate of the SRV target's", async () => {
  await using server = startHomeserver({
    users: {},
    tls: await ca.issue(["node.hosting.example"]),
  });
  await using dns = await startDnsServer({
    "_matrix._tcp.example.org": { SRV: [{ port: server.port, target: "node.hosting.example" }] },
    "node.hosting.example": { A: ["127.0.0.1"] },
  });
  await using resolver = startResolver({ dns, allowNetworks: ["127.0.0.1/32"] });
  assertEquals((await hopOf(resolver.ask("example.org")))[0], "tls");
  assertEquals(server.requests, []);
});

Deno.test("createServerResolver() leads to port 8448 where nothing else is said", async () => {
  await using server = startHomeserver({ users: {}, tls: await ca.issue(["example.org"]) });
  await using dns = await startDnsServer({ "example.org": { A: ["127.0.0.1"] } });
  const ports = { 443: 1, 8448: server.port };
  await using resolver = startResolver({ dns, ports, allowNetworks: ["127.0.0.1/32"] });
  await resolver.ask("example.org");
  assertEquals(seenBy(server), [["/_matrix/probe", "example.org", "example.org"]]);
});

Deno.test("createServerResolver() takes a well-known file too large, or endless, for none", async () => {
  await using server = startHomeserver({ users: {}, tls: await ca.issue(["example.org"]) });
  await using web = startHttpServer({
    tls: await ca.issue(["example.org"]),
    handler: () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(16_384).fill(32)),
        }),
      ),
  });
  await using dns = await startDnsServer({ "example.org": { A: ["127.0.0.1"] } });
  const ports = { 443: web.port, 8448: server.port };
  await using resolver = startResolver({ dns, ports, allowNetworks: ["127.0.0.1/32"] });
  assertEquals((await resolver.ask("example.org")).status, 404);
  assertEquals([web.requests.length, server.requests.length], [1, 1]);
});

/** Names for the inside, and a listener there that must see nobody. */
async function startInside() {
  const inside = startRawServer({ handle: () => {} });
  const dns = await startDnsServer({
    "inside.example": { A: ["127.0.0.1"] },
    "metadata.example": { A: ["169.254.169.254"] },
    "alias.example": { CNAME: "inside.example" },
    "mixed.example": { A: ["10.0.0.1", "127.0.0.1", "192.168.0.1"] },
    "_matrix-fed._tcp.srv.example": { SRV: [{ port: inside.port, target: "inside.example" }] },
    "_matrix-fed._tcp.literal.example": { SRV: [{ port: inside.port, target: "127.0.0.1" }] },
  });
  return { inside, dns };
}

const names: [string, (port: number) => string][] = [
  ["a loopback address", (port) => `127.0.0.1:${port}`],
  ["a loopback address of IPv6", (port) => `[::1]:${port}`],
  ["a mapped address", (port) => `[::ffff:127.0.0.1]:${port}`],
  ["the unspecified address", (port) => `0.0.0.0:${port}`],
  ["a name for a loopback address", (port) => `inside.example:${port}`],
  ["a name for nothing but private addresses", (port) => `mixed.example:${port}`],
  ["a name for the cloud's metadata", () => "metadata.example:80"],
  ["SRV records to a loopback address", () => "srv.example"],
  ["SRV records to an address literal", () => "literal.example"],
];
for (const [what, name] of names) {
  Deno.test(`createServerResolver() lets nobody reach the inside by ${what}`, async () => {
    const { inside, dns } = await startInside();
    await using _inside = inside;
    await using _dns = dns;
    await using resolver = startResolver({ dns, ports: { 443: inside.port, 8448: inside.port } });
    const [hop, message] = await hopOf(resolver.ask(name(inside.port)));
    assertEquals([hop, inside.connections], ["policy", 0]);
    assertMatch(message, /has no public address/);
  });
}

const ways: [string, (port: number) => [string, Response]][] = [
  ["a redirect to an address", (port) => [
    "public.example",
    new Response(null, { status: 302, headers: { location: `https://127.0.0.2:${port}/` } }),
  ]],
  ["a redirect to a name", (port) => [
    "public.example",
    new Response(null, { status: 302, headers: { location: `https://inside.example:${port}/` } }),
  ]],
  ["a redirect to an odd spelling", (port) => [
    "public.example",
    new Response(null, { status: 302, headers: { location: `https://0x7f000002:${port}/` } }),
  ]],
  ["a delegation to an address", (port) => [
    "public.example",
    Response.json({ "m.server": `127.0.0.2:${port}` }),
  ]],
  ["a delegation to a name", (port) => [
    "public.example",
    Response.json({ "m.server": `inside.example:${port}` }),
  ]],
  ["a delegation to SRV records", () => [
    "public.example",
    Response.json({ "m.server": "srv.example" }),
  ]],
];
for (const [what, way] of ways) {
  Deno.test({
    name: `createServerResolver() lets nobody reach the inside by ${what}`,
    ignore: Deno.build.os !== "linux", // 127.0.0.2 is nobody elsewhere
    async fn() {
      // 127.0.0.1 plays a public server here, 127.0.0.2 the inside.
      await using inside = startRawServer({ hostname: "127.0.0.2", handle: () => {} });
      const [serverName, answer] = way(inside.port);
      await using web = startHttpServer({
        tls: await ca.issue(["public.example"]),
        handler: () => answer.clone(),
      });
      await using dns = await startDnsServer({
        "public.example": { A: ["127.0.0.1"] },
        "inside.example": { A: ["127.0.0.2"] },
        "_matrix-fed._tcp.srv.example": { SRV: [{ port: inside.port, target: "inside.example" }] },
      });
      const ports = { 443: web.port, 8448: inside.port };
      await using resolver = startResolver({ dns, ports, allowNetworks: ["127.0.0.1/32"] });
      await hopOf(resolver.ask(serverName));
      assertEquals([web.requests.length, inside.connections], [1, 0]);
    },
  });
}

Deno.test("createServerResolver() lets the operator's own servers live inside", async () => {
  await using server = startHomeserver({ users: {}, tls: await ca.issue(["inside.example"]) });
  await using dns = await startDnsServer({ "inside.example": { A: ["127.0.0.1"] } });
  await using own = startResolver({ dns, isOwn: true });
  assertEquals((await own.ask(`inside.example:${server.port}`)).status, 404);
  assertEquals(server.requests.length, 1);
});
