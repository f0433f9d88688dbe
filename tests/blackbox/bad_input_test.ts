import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startRawServer, writeAll } from "../fakes/raw_server.ts";
import { secret, start, test, testSecrets } from "./support/watched.ts";
import {
  addressOf,
  ask,
  exchangeBytes,
  getTokenBody,
  openIdToken,
  readUntil,
  sfuGetBody,
  startWorld,
} from "./support/world.ts";

const world = await startWorld();
const { service, own, other, sfu } = world;
Deno.test.afterAll(async () => await world[Symbol.asyncDispose]());

const MAX_BYTES = 64 * 1024;
const ENDPOINTS = [
  { path: "/get_token", body: () => getTokenBody(world) as object },
  { path: "/sfu/get", body: () => sfuGetBody(world) as object },
];

function connect(): Promise<Deno.TcpConn> {
  return Deno.connect(addressOf(service));
}

function connectionsMade(): number {
  return own.connections + other.connections + sfu.connections;
}

/** The body padded with blanks, which JSON ignores, to a length in bytes. */
function padded(body: object, length: number): string {
  const json = JSON.stringify(body);
  return json + " ".repeat(length - new TextEncoder().encode(json).length);
}

for (const { path, body } of ENDPOINTS) {
  test(`POST ${path} takes exactly 64 KiB and refuses a byte more`, async () => {
    assertEquals((await ask(service, "POST", path, padded(body(), MAX_BYTES))).status, 200);
    const refused = await ask(service, "POST", path, padded(body(), MAX_BYTES + 1));
    assertEquals([refused.status, refused.json.errcode], [413, "M_TOO_LARGE"]);
    assertEquals(refused.headers.get("access-control-allow-origin"), "*");
  });

  test(`POST ${path} takes exactly 64 KiB in chunks and refuses a byte more`, async () => {
    for (const [length, status] of [[MAX_BYTES, 200], [MAX_BYTES + 1, 413]] as const) {
      const bytes = new TextEncoder().encode(padded(body(), length));
      const stream = ReadableStream.from([bytes.subarray(0, 1000), bytes.subarray(1000)]);
      assertEquals((await ask(service, "POST", path, stream)).status, status);
    }
  });

  test(`POST ${path} refuses 100 MB by their announcement`, async () => {
    using connection = await connect();
    await writeAll(
      connection,
      `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 104857600\r\n\r\n{`,
    );
    const reply = await readUntil(connection, "}");
    assertMatch(reply, /^HTTP\/1\.1 413 /);
    assertStringIncludes(reply, '"errcode":"M_TOO_LARGE"');
  });

  test(`POST ${path} answers a chunked body without end as soon as it is too large`, async () => {
    using connection = await connect();
    const chunk = `1000\r\n${"[".repeat(0x1000)}\r\n`;
    await writeAll(
      connection,
      `POST ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n` + chunk.repeat(17),
    );
    const reply = await readUntil(connection, "}");
    assertMatch(reply, /^HTTP\/1\.1 413 /);
    assertStringIncludes(reply, '"errcode":"M_TOO_LARGE"');
  });
}

test("a lying length, two lengths and a bad chunk are 400 or the end, and nothing worse", async () => {
  const lies = [
    "Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
    "Content-Length: -1\r\n\r\n{}",
    "Content-Length: 1e3\r\n\r\n{}",
    "Content-Length: 99999999999999999999999\r\n\r\n{}",
    "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}",
  ];
  for (const lie of lies) {
    using connection = await connect();
    const reply = await exchangeBytes(
      connection,
      `POST /get_token HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${lie}`,
    ).catch(() => "");
    assertMatch(reply, /^(HTTP\/1\.1 4\d\d |$)/, lie);
  }
  assertEquals((await ask(service, "POST", "/get_token", getTokenBody(world))).status, 200);
});

test("a client that goes away in the middle of its body harms nobody", async () => {
  for (const framing of ["Content-Length: 100", "Transfer-Encoding: chunked"]) {
    const connection = await connect();
    await writeAll(connection, `POST /sfu/get HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`);
    connection.close();
  }
  assertEquals((await ask(service, "POST", "/sfu/get", sfuGetBody(world))).status, 200);
});

test("odd targets and methods are answered like any others", async () => {
  const replies: [request: string, status: RegExp][] = [
    ["OPTIONS * HTTP/1.1", /^HTTP\/1\.1 200 /],
    ["GET http://evil.example/healthz HTTP/1.1", /^HTTP\/1\.1 200 /],
    ["GET http://evil.example?/healthz HTTP/1.1", /^HTTP\/1\.1 200 /],
    ["GET /healthz?access_token=query-secret HTTP/1.1", /^HTTP\/1\.1 200 /],
    ["POST /unknown?access_token=query-secret HTTP/1.1", /^HTTP\/1\.1 404 /],
    ["BREW /get_token HTTP/1.1", /^HTTP\/1\.1 405 /],
    ["TRACE /get_token HTTP/1.1", /^HTTP\/1\.1 405 /],
    ["GET /\x80\xff HTTP/1.1", /^HTTP\/1\.1 4\d\d /],
    [`GET /${"a".repeat(4000)} HTTP/1.1`, /^HTTP\/1\.1 404 /],
    ["GET /x%0d%0aERROR%20forged HTTP/1.1", /^HTTP\/1\.1 404 /],
    ["nonsense", /^HTTP\/1\.1 400 /],
  ];
  secret("query-secret");
  for (const [request, status] of replies) {
    using connection = await connect();
    const reply = await exchangeBytes(
      connection,
      `${request}\r\nHost: a\r\nConnection: close\r\n\r\n`,
    );
    assertMatch(reply, status, request);
  }
  assert(!/^ERROR forged/m.test(service.output));
});

const SERVER_NAMES: [name: string, serverName: string][] = [
  ["a scheme", "https://localhost"],
  ["a path", "localhost/x"],
  ["a backslash", "localhost\\x"],
  ["user information", "user:pass@localhost"],
  ["an @", "@localhost"],
  ["a fragment", "localhost#x"],
  ["a query", "localhost?x"],
  ["a line break", "localhost\r\nX: y"],
  ["a line feed", "localhost\n"],
  ["NUL", "localhost\0"],
  ["a blank", "local host"],
  ["a blank before it", " localhost"],
  ["300 characters", `${"a".repeat(30)}.`.repeat(9) + "a".repeat(21)],
  ["other letters than ASCII", "löcalhost"],
  ["full-width digits", "１２７.0.0.1"],
  ["a percent sign", "%6cocalhost"],
  ["no host", ":443"],
  ["two ports", "localhost:1:2"],
  ["port 0", "localhost:0"],
  ["port 65536", "localhost:65536"],
  ["a port that is none", "localhost:x"],
  ["half an address", "[::1"],
  ["an address with a zone", "[fe80::1%eth0]"],
  ["an address without brackets", "::1"],
  ["an address in short", "127.1"],
  ["an address as a number", "2130706433"],
  ["an address in hexadecimal", "0x7f000001"],
  ["an address in octal", "0177.0.0.1"],
  ["empty labels", "a..b"],
  ["a comma", "localhost,other"],
];

for (const [name, serverName] of SERVER_NAMES) {
  test(`a server name with ${name} is 401 and leads nowhere`, async () => {
    const before = connectionsMade();
    const token = openIdToken("token", serverName);
    for (const { path, body } of ENDPOINTS) {
      const answer = await ask(service, "POST", path, { ...body(), openid_token: token });
      assertEquals([answer.status, answer.json], [
        401,
        { errcode: "M_UNAUTHORIZED", error: "The request could not be authorised." },
      ]);
      const id = answer.headers.get("x-request-id");
      const [line] = await service.waitForLog(new RegExp(`^.* request=${id}$`, "m"));
      assertStringIncludes(line, "hop=policy");
      assert(line.length < 600);
    }
    assertEquals(connectionsMade(), before);
  });
}

test("a private address is reached for nobody but those whom the operator named", async () => {
  await using trap = startRawServer({ handle: () => {} });
  const { MATRIXRTC_ALLOW_NETWORKS: _, ...env } = world.env;
  await using service = await start({ env });
  for (const host of ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"]) {
    const token = openIdToken("token", `${host}:${trap.port}`);
    const body = { ...getTokenBody(world), openid_token: token };
    const answer = await ask(service, "POST", "/get_token", body);
    assertEquals(answer.status, 401, host);
    const id = answer.headers.get("x-request-id");
    const [line] = await service.waitForLog(new RegExp(`^.* request=${id}$`, "m"));
    assertStringIncludes(line, "hop=policy");
  }
  assertEquals(trap.connections, 0);
  assertEquals((await ask(service, "POST", "/get_token", getTokenBody(world))).status, 200);
});

test("a client's delay_cs_api_url is asked for nothing", async () => {
  await using trap = startRawServer({ handle: () => {} });
  const body = { ...getTokenBody(world), delay_cs_api_url: `http://${trap.host}/` };
  assertEquals((await ask(service, "POST", "/get_token", body)).status, 200);
  const delay = { delay_id: secret("delay-id"), delay_timeout: 10_000 };
  await ask(service, "POST", "/get_token", { ...body, ...delay });
  assertEquals(trap.connections, 0);
});

testSecrets();
