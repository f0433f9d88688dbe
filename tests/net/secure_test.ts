import { assertEquals, assertMatch } from "@std/assert";
import { dial } from "../../lib/net/dial.ts";
import { secure } from "../../lib/net/secure.ts";
import { startHttpServer } from "../fakes/http_server.ts";
import { readRequestHead, startRawServer, writeAll } from "../fakes/raw_server.ts";
import { createManualClock } from "../support/manual_clock.ts";
import { createTestCa } from "../support/test_ca.ts";
import { endsWhatIsDestroyed, hopOf, noLookup, realClock } from "./fixtures.ts";

const ca = await createTestCa();
const foreignCa = await createTestCa();
const certificate = await ca.issue(["matrix.example.org", "*.wild.example", "127.0.0.1", "::1"]);
const longAgo = new Date(Date.now() - 1_000);
const later = new Date(Date.now() + 3_600_000);

async function connectTo(port: number, tlsName: string, options: {
  hostname?: string;
  skip?: boolean;
  ca?: string[];
} = {}) {
  const { hostname = "127.0.0.1", skip = false } = options;
  const endpoint = { host: hostname, port };
  const clock = realClock;
  const socket = await dial(endpoint, { lookup: noLookup, policy: undefined, clock });
  const trust = { ca: options.ca ?? [ca.pem] };
  return await secure(socket, tlsName, { trust, insecureSkipVerifyTls: skip, clock });
}

/** One exchange over the secured socket, so that both sides have seen the handshake end. */
function ask(socket: Awaited<ReturnType<typeof connectTo>>): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("data", (data: Uint8Array) => {
      socket.destroy();
      resolve(new TextDecoder().decode(data).split("\r\n")[0]!);
    });
    socket.write("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
  });
}

const accepted = [
  { tlsName: "matrix.example.org", sni: "matrix.example.org" },
  { tlsName: "a.wild.example", sni: "a.wild.example" },
  { tlsName: "127.0.0.1", sni: null },
  { tlsName: "::1", sni: null, hostname: "::1" },
  { tlsName: "0:0:0:0:0:0:0:1", sni: null, hostname: "::1" },
];
for (const { tlsName, sni, hostname = "127.0.0.1" } of accepted) {
  Deno.test(`secure() speaks TLS as ${tlsName}, SNI ${sni}`, async () => {
    await using server = startHttpServer({
      hostname,
      tls: certificate,
      handler: () => new Response(),
    });
    const socket = await connectTo(server.port, tlsName, { hostname });
    assertEquals(await ask(socket), "HTTP/1.1 200 OK");
    assertEquals(server.requests[0]!.serverName, sni);
  });
}

const WRONG_NAME = /not valid for name|does not match certificate's altnames/;
const NOT_TRUSTED = /BadSignature|UnknownIssuer|of no known authority, or not valid now/;
const refused = [
  {
    name: "a certificate for another name",
    tls: certificate,
    tlsName: "other.example.org",
    reason: WRONG_NAME,
  },
  {
    name: "a wildcard two labels up",
    tls: certificate,
    tlsName: "a.b.wild.example",
    reason: WRONG_NAME,
  },
  {
    name: "a certificate for another address",
    tls: certificate,
    tlsName: "127.0.0.2",
    reason: WRONG_NAME,
  },
  {
    name: "a name where the certificate has the address only",
    tls: await ca.issue(["127.0.0.1"]),
    tlsName: "matrix.example.org",
    reason: WRONG_NAME,
  },
  {
    name: "an address where the certificate has the name only",
    tls: await ca.issue(["matrix.example.org"]),
    tlsName: "127.0.0.1",
    reason: WRONG_NAME,
  },
  {
    name: "an unknown authority",
    tls: await foreignCa.issue(["matrix.example.org"]),
    tlsName: "matrix.example.org",
    reason: NOT_TRUSTED,
  },
  {
    name: "a certificate that has expired",
    tls: await ca.issue(["matrix.example.org"], { notAfter: longAgo }),
    tlsName: "matrix.example.org",
    reason: /expired|not valid now/,
  },
  {
    name: "a certificate of the future",
    tls: await ca.issue(["matrix.example.org"], { notBefore: later }),
    tlsName: "matrix.example.org",
    reason: /not valid yet|not valid now/,
  },
];
for (const { name, tls, tlsName, reason } of refused) {
  Deno.test(`secure() refuses ${name} and says so`, async () => {
    await using server = startHttpServer({ tls, handler: () => new Response() });
    const [hop, message] = await hopOf(connectTo(server.port, tlsName));
    assertEquals(hop, "tls");
    assertMatch(message, new RegExp(`^no TLS with ${tlsName}: `));
    assertMatch(message, reason);
    assertEquals(server.requests, []);
  });

  Deno.test(`secure() takes ${name} under insecureSkipVerifyTls`, async () => {
    await using server = startHttpServer({ tls, handler: () => new Response() });
    const socket = await connectTo(server.port, tlsName, { skip: true });
    assertEquals(await ask(socket), "HTTP/1.1 200 OK");
  });
}

Deno.test("secure() trusts nobody's own authority without being told", async () => {
  await using server = startHttpServer({ tls: certificate, handler: () => new Response() });
  const [hop] = await hopOf(connectTo(server.port, "matrix.example.org", { ca: [] }));
  assertEquals(hop, "tls");
});

const broken = [
  {
    name: "a server that speaks plain HTTP",
    async handle(connection: Deno.Conn) {
      await connection.read(new Uint8Array(1024));
      await writeAll(connection, "HTTP/1.1 400 Bad Request\r\n\r\nThis is a plain HTTP port");
      await readRequestHead(connection);
    },
    reason: /InvalidContentType/,
  },
  {
    name: "a server that speaks first",
    async handle(connection: Deno.Conn) {
      await writeAll(connection, "220 mail.example ESMTP\r\n");
      await readRequestHead(connection);
    },
    reason: /InvalidContentType/,
  },
  {
    name: "a server that hangs up",
    async handle(connection: Deno.Conn) {
      await connection.read(new Uint8Array(1024));
    },
    reason: /disconnected before secure|unexpected end of file|closed during the handshake/,
  },
];
for (const { name, handle, reason } of broken) {
  Deno.test(`secure() says what is wrong with ${name}`, async () => {
    await using server = startRawServer({ handle });
    const [hop, message] = await hopOf(connectTo(server.port, "matrix.example.org"));
    assertEquals(hop, "tls");
    assertMatch(message, reason);
  });
}

Deno.test({
  name: "secure() waits 5 s for a silent server, then hangs up",
  sanitizeOps: endsWhatIsDestroyed,
  sanitizeResources: endsWhatIsDestroyed,
  async fn() {
    let hungUp = () => {};
    const end = new Promise<void>((resolve) => hungUp = resolve);
    await using server = startRawServer({
      async handle(connection) {
        await connection.readable.pipeTo(new WritableStream()).catch(() => {});
        hungUp();
      },
    });
    const clock = createManualClock();
    const endpoint = { host: "127.0.0.1", port: server.port };
    const socket = await dial(endpoint, { lookup: noLookup, policy: undefined, clock });
    const options = { trust: { ca: [] }, insecureSkipVerifyTls: false, clock };
    const securing = hopOf(secure(socket, "matrix.example.org", options));
    clock.advance(5_000);
    assertEquals(await securing, ["tls", "no TLS with matrix.example.org: no handshake in 5 s"]);
    assertEquals(clock.pending, []);
    if (endsWhatIsDestroyed) await end;
  },
});

Deno.test("secure() leaves no time limit behind", async () => {
  await using server = startHttpServer({ tls: certificate, handler: () => new Response() });
  const clock = createManualClock();
  const endpoint = { host: "127.0.0.1", port: server.port };
  const socket = await dial(endpoint, { lookup: noLookup, policy: undefined, clock });
  const options = { trust: { ca: [ca.pem] }, insecureSkipVerifyTls: false, clock };
  const secured = await secure(socket, "matrix.example.org", options);
  assertEquals(clock.pending, []);
  assertEquals(await ask(secured), "HTTP/1.1 200 OK");
});
