import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import {
  ForbiddenError,
  type Hop,
  UnauthorizedError,
  UnavailableError,
  UpstreamError,
} from "../../lib/matrix/errors.ts";
import { Secret } from "../../lib/secret.ts";
import type { HttpClient } from "../../lib/net/http_client.ts";
import { createOpenIdVerifier, type OpenIdVerifierOptions } from "../../lib/verification/openid.ts";
import { createServerResolver } from "../../lib/verification/resolve_server.ts";
import { ServerGates } from "../../lib/verification/server_gate.ts";
import { UnreachableServers } from "../../lib/verification/unreachable_servers.ts";
import { startHomeserver } from "../fakes/homeserver.ts";
import { startHttpServer } from "../fakes/http_server.ts";
import { readRequestHead, startRawServer, writeAll } from "../fakes/raw_server.ts";
import { createManualClock, type ManualClock } from "../support/manual_clock.ts";
import { createTestCa } from "../support/test_ca.ts";
import { realClock, startClient } from "../net/fixtures.ts";
import { type Answer, type Call, createFakeClient } from "./fixtures.ts";

const TOKEN = "syt_SECRET-token&#";
const ca = await createTestCa();
const localhost = await ca.issue(["localhost"]);

interface VerifierOptions extends Partial<OpenIdVerifierOptions> {
  client: HttpClient;
  overrides?: Record<string, string>;
}

function createVerifier({ overrides = {}, ...options }: VerifierOptions) {
  const { clock = realClock, isOwn = () => true } = options;
  const verify = createOpenIdVerifier({
    clock,
    isOwn,
    gates: new ServerGates(clock),
    limits: () => ({ maxInFlight: 64, maxInWork: 512 }),
    unreachable: new UnreachableServers(clock),
    isAdmitted: () => true,
    resolver: createServerResolver({
      client: options.client,
      clock,
      isOwn,
      lookupSrv: () => Promise.resolve([]),
      overrides: new Map(Object.entries(overrides)),
      maxConnections: () => 64,
      random: () => 0,
    }),
    ...options,
  });
  return (serverName: string, accessToken = TOKEN, timeoutMs = 10_000) =>
    verify({ accessToken: new Secret(accessToken), serverName }, timeoutMs);
}

/** A verifier over real sockets; what it calls `localhost` answers on the loopback interface. */
function startVerifier(options: Partial<VerifierOptions> = {}) {
  const lookup = () => Promise.resolve(["127.0.0.1"]);
  const client = startClient({ ca: [ca.pem], lookup, clock: options.clock ?? realClock });
  return Object.assign(createVerifier({ client, ...options }), {
    [Symbol.asyncDispose]: () => client.close(),
  });
}

/** Waits for a refusal and checks what every refusal has to hold to. */
async function refusal(verifying: Promise<unknown>, token = TOKEN): Promise<[Hop, string]> {
  const error = await verifying.then(() => undefined, (error) => error);
  assertInstanceOf(error, UnauthorizedError);
  assertEquals(error.message, "The request could not be authorised.");
  assertInstanceOf(error.cause, UpstreamError);
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const text = `${at.message} ${at.stack}`;
    assert(!text.includes(token) && !text.includes(encodeURIComponent(token)), text);
  }
  return [error.cause.hop, error.cause.message];
}

Deno.test("createOpenIdVerifier() believes the user's own server", async () => {
  await using homeserver = startHomeserver({ users: {}, tls: localhost });
  const { serverName } = homeserver;
  homeserver.settings.users[TOKEN] = `@alice:${serverName}`;
  await using verify = startVerifier();
  assertEquals(await verify(serverName), { userId: `@alice:${serverName}`, serverName });
  const [seen] = homeserver.requests;
  assertEquals([seen!.method, seen!.host, seen!.serverName], ["GET", serverName, "localhost"]);
  assertEquals(seen!.headers.get("authorization"), null);
});

const tokens = {
  "&": "a&access_token=b",
  "#": "a#b",
  "?": "a?b",
  "+": "a+b",
  "%": "a%26b",
  "/": "../../a",
  "blanks": " a b ",
  "CRLF": "a\r\nHost: evil.example\r\n\r\n",
  "NUL": "a\0b",
  "letters beyond ASCII": "tökén✓",
  "60 000 characters": "a".repeat(60_000),
};
for (const [what, token] of Object.entries(tokens)) {
  Deno.test(`createOpenIdVerifier() sends a token with ${what} as one parameter`, async () => {
    await using homeserver = startHomeserver({ users: {}, tls: localhost });
    homeserver.settings.users[token] = `@alice:${homeserver.serverName}`;
    await using verify = startVerifier();
    const { userId } = await verify(homeserver.serverName, token);
    assertEquals(userId, `@alice:${homeserver.serverName}`);
    assertEquals(homeserver.requests.length, 1);
    const query = new URL(homeserver.requests[0]!.path, "https://x").searchParams;
    assertEquals([...query], [["access_token", token]]);
  });
}

const users = (serverName: string): Record<string, unknown> => ({
  "no user": undefined,
  "null": null,
  "a number": 5,
  "a list": [`@alice:${serverName}`],
  "an object": { toString: `@alice:${serverName}` },
  "nothing": "",
  "another server": "@alice:evil.example",
  "the server in other case": `@alice:${serverName.toUpperCase()}`,
  "the server without its port": "@alice:localhost",
  "the server with one more port": `@alice:${serverName}:443`,
  "the server behind another": `@alice:evil.example:${serverName}`,
  "the server with a dot": `@alice:${serverName.replace(":", ".:")}`,
  "a user of a subdomain": `@alice:sub.${serverName}`,
  "no sigil": `alice:${serverName}`,
  "a room alias": `#alice:${serverName}`,
  "a leading blank": ` @alice:${serverName}`,
  "a trailing blank": `@alice:${serverName} `,
  "a trailing newline": `@alice:${serverName}\n`,
  "a blank inside": `@al ice:${serverName}`,
  "NUL inside": `@al\0ice:${serverName}`,
  "a localpart alone": "@alice",
  "300 characters": `@${"a".repeat(300)}:${serverName}`,
  "60 000 characters": `@${"a".repeat(60_000)}:${serverName}`,
  "the token itself": TOKEN,
});
for (const what of Object.keys(users(""))) {
  Deno.test(`createOpenIdVerifier() refuses a "sub" of ${what}`, async () => {
    await using homeserver = startHomeserver({ users: {}, tls: localhost });
    const sub = users(homeserver.serverName)[what];
    homeserver.settings.respond = () => Response.json({ sub });
    await using verify = startVerifier();
    const [hop, message] = await refusal(verify(homeserver.serverName));
    assertEquals(hop, "answer");
    assertMatch(message, /^localhost:\d+: userinfo (is not JSON with a "sub"|vouches for )/);
    assert(message.length < 500, "the message grows with the answer");
  });
}

const answers: Record<string, [() => Response, RegExp]> = {
  "401": [
    () => Response.json({ errcode: "M_UNKNOWN_TOKEN", error: TOKEN }, { status: 401 }),
    /HTTP 401 M_UNKNOWN_TOKEN$/,
  ],
  "401 that echoes the token as its code": [
    () => Response.json({ errcode: TOKEN }, { status: 401 }),
    /HTTP 401$/,
  ],
  "500": [() => new Response("oops", { status: 500 }), /HTTP 500$/],
  "404 of a web server": [() => new Response("<h1>nginx</h1>", { status: 404 }), /HTTP 404$/],
  "201": [() => Response.json({ sub: "@a:b" }, { status: 201 }), /HTTP 201$/],
  "204": [() => new Response(null, { status: 204 }), /HTTP 204$/],
  "HTML": [
    () => new Response("<!doctype html>", { headers: { "content-type": "text/html" } }),
    /not JSON with a "sub"/,
  ],
  "nothing": [() => new Response(""), /not JSON with a "sub"/],
  "null": [() => new Response("null"), /not JSON with a "sub"/],
  "a string": [() => new Response('"sub"'), /not JSON with a "sub"/],
  "a list": [() => new Response("[1]"), /not JSON with a "sub"/],
  "an empty object": [() => new Response("{}"), /not JSON with a "sub"/],
  "bytes that are no UTF-8": [
    () => new Response(new Uint8Array([123, 34, 255, 34, 58, 49, 125])),
    /not JSON with a "sub"/,
  ],
  "30 000 levels": [() => new Response("[".repeat(30_000)), /not JSON with a "sub"/],
};
for (const [what, [respond, expected]] of Object.entries(answers)) {
  Deno.test(`createOpenIdVerifier() refuses an answer of ${what}`, async () => {
    await using homeserver = startHomeserver({ users: {}, tls: localhost, respond });
    await using verify = startVerifier();
    const [hop, message] = await refusal(verify(homeserver.serverName));
    assertEquals(hop, "answer");
    assertMatch(message, expected);
  });
}

Deno.test("createOpenIdVerifier() follows no redirect of userinfo", async () => {
  await using elsewhere = startHttpServer({
    tls: localhost,
    handler: () => Response.json({ sub: "@alice:example.org" }),
  });
  await using homeserver = startHomeserver({ users: {}, tls: localhost });
  homeserver.settings.respond = () =>
    Response.redirect(`https://localhost:${elsewhere.port}/`, 307);
  await using verify = startVerifier();
  const [hop, message] = await refusal(verify(homeserver.serverName));
  assertEquals([hop, /HTTP 307$/.test(message)], ["answer", true]);
  assertEquals([elsewhere.connections, homeserver.requests.length], [0, 1]);
});

Deno.test("createOpenIdVerifier() unpacks no bomb", async () => {
  const packed = new Response(
    new Blob([`{"sub":"@alice:localhost","x":"${"x".repeat(5_000_000)}"}`]).stream()
      .pipeThrough(new CompressionStream("gzip")),
  );
  const bomb = new Uint8Array(await packed.arrayBuffer());
  assert(bomb.length < 64 * 1024);
  await using homeserver = startHomeserver({
    users: {},
    tls: localhost,
    respond: () => new Response(bomb, { headers: { "content-encoding": "gzip" } }),
  });
  await using verify = startVerifier();
  assertMatch((await refusal(verify(homeserver.serverName)))[1], /not JSON/);
  assertEquals(homeserver.requests[0]!.headers.get("accept-encoding"), null);
});

/** Serves something raw over TLS and verifies a token there. */
async function verifyAt(handle: (connection: Deno.Conn) => Promise<void>) {
  const handled: Promise<void>[] = [];
  await using server = startRawServer({
    tls: localhost,
    handle(connection) {
      const handling = handle(connection);
      handled.push(handling);
      return handling;
    },
  });
  await using verify = startVerifier();
  const refused = await refusal(verify(`localhost:${server.port}`));
  await Promise.allSettled(handled); // nobody may still be reading
  return refused;
}

Deno.test("createOpenIdVerifier() refuses a stream of 10 GB at 64 KiB", async () => {
  let sent = 0;
  const [hop, message] = await verifyAt(async (connection) => {
    await readRequestHead(connection);
    await writeAll(connection, 'HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n{"sub":"');
    for (; sent < 1e10; sent += 65_536) await writeAll(connection, "x".repeat(65_536));
  });
  assertEquals(hop, "http");
  assertMatch(message, /larger than 65536 bytes/);
  assert(sent < 50_000_000, `${sent} bytes were taken`);
});

const breaks: Record<string, [(connection: Deno.Conn) => Promise<void>, Hop]> = {
  "hangs up": [async (connection) => void await readRequestHead(connection), "http"],
  "answers half": [async (connection) => {
    await readRequestHead(connection);
    await writeAll(connection, 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"sub":');
  }, "http"],
  "speaks something else": [async (connection) => {
    await readRequestHead(connection);
    await writeAll(connection, "* OK IMAP4rev1 ready\r\n");
  }, "http"],
};
for (const [what, [handle, expected]] of Object.entries(breaks)) {
  Deno.test(`createOpenIdVerifier() refuses a server that ${what}`, async () => {
    assertEquals((await verifyAt(handle))[0], expected);
  });
}

Deno.test("createOpenIdVerifier() names the hop where a server could not be reached", async () => {
  await using foreign = startHomeserver({ users: {}, tls: await ca.issue(["other.example"]) });
  await using plain = startHomeserver({ users: {} });
  await using verify = startVerifier();
  const closed = await (async () => {
    await using server = startRawServer({ handle: () => {} });
    return server.port;
  })();
  assertEquals((await refusal(verify(`localhost:${foreign.port}`)))[0], "tls");
  assertEquals((await refusal(verify(`localhost:${plain.port}`)))[0], "tls");
  assertEquals((await refusal(verify(`localhost:${closed}`)))[0], "tcp");
  await using remote = startVerifier({ isOwn: () => false });
  assertEquals((await refusal(remote(`localhost:${closed}`)))[0], "policy");
  assertEquals([foreign.requests, plain.requests], [[], []]);
});

Deno.test("createOpenIdVerifier() gives up on a silent server at the deadline", async () => {
  await using homeserver = startHomeserver({ users: {}, tls: localhost, delayMs: 3_600_000 });
  const clock = createManualClock();
  await using verify = startVerifier({ clock });
  const refused = refusal(verify(homeserver.serverName, TOKEN, 4_000));
  await homeserver.received(1);
  clock.advance(4_000);
  const [hop, message] = await refused;
  assertEquals(hop, "http");
  assertMatch(message, /^no answer from localhost:\d+ in 4\.0 s$/);
});

Deno.test("createOpenIdVerifier() asks an override under its path, the user's server all the same", async () => {
  await using homeserver = startHttpServer({
    handler: (_, { path }) =>
      path.startsWith("/sub/path/_matrix/federation/v1/openid/userinfo?access_token=")
        ? Response.json({ sub: "@alice:example.org" })
        : new Response(null, { status: 404 }),
  });
  const overrides = { "example.org": `${homeserver.url}/sub/path/` };
  await using verify = startVerifier({ overrides });
  assertEquals((await verify("example.org")).userId, "@alice:example.org");
  assertEquals((await refusal(verify("[::1]:9")))[0], "tcp");
});

const notNames = ["", "https://example.org", "a@b", "a/b", "a#b", "a\r\nb", "a\0", "a".repeat(300)];
Deno.test("createOpenIdVerifier() asks nobody about what is no server name", async () => {
  const client = createFakeClient(() => undefined);
  const verify = createVerifier({ client });
  for (const name of notNames) assertEquals((await refusal(verify(name)))[0], "policy");
  assertEquals(client.calls, []);
});

Deno.test("createOpenIdVerifier() asks no server whose users may not come", async () => {
  const client = createFakeClient(() => undefined);
  const verify = createVerifier({ client, isAdmitted: (name) => name !== "blocked.example" });
  const error = await verify("blocked.example").catch((error) => error);
  assertInstanceOf(error, ForbiddenError);
  assertEquals(client.calls, []);
  await refusal(verify("admitted.example:1"));
  assertEquals(client.calls.length, 1);
});

/** A verifier whose client answers when told, each call by itself. */
function createHanging(options: Partial<VerifierOptions> = {}) {
  const clock = createManualClock();
  const calls: { call: Call; answer: (answer: Answer | undefined) => void }[] = [];
  const client = createFakeClient((_what, call) => {
    const { promise, resolve } = Promise.withResolvers<Answer | undefined>();
    calls.push({ call, answer: resolve });
    return promise;
  });
  return { clock, calls, verify: createVerifier({ client, clock, ...options }) };
}

/** Lets what has settled run on. */
async function settle(): Promise<void> {
  for (let i = 0; i < 30; i++) await Promise.resolve();
}

const vouch = (name: string): Answer => ({ body: `{"sub":"@alice:${name}"}` });

Deno.test("createOpenIdVerifier() has 64 requests to a server under way, the others wait", async () => {
  const { verify, calls } = createHanging();
  const verifying = Array.from({ length: 70 }, () => verify("a.example:1"));
  await settle();
  assertEquals(calls.length, 64);
  calls[0]!.answer(vouch("a.example:1"));
  await verifying[0];
  await settle();
  assertEquals(calls.length, 65);
  for (let i = 1; i < 70; i++) {
    calls[i]!.answer(vouch("a.example:1"));
    await settle();
  }
  assertEquals((await Promise.all(verifying)).length, 70);
});

Deno.test("createOpenIdVerifier() lets no hanging server delay another", async () => {
  const { verify, calls, clock } = createHanging();
  const waiting = Array.from({ length: 512 }, () => refusal(verify("hangs.example:1")));
  await settle();
  assertEquals(calls.length, 64);
  const error = await verify("hangs.example:1").catch((error) => error);
  assertInstanceOf(error, UnavailableError);
  const other = verify("answers.example:1");
  await settle();
  calls.at(-1)!.answer(vouch("answers.example:1"));
  assertEquals((await other).userId, "@alice:answers.example:1");
  clock.advance(10_000);
  calls.forEach(({ answer }) => answer(undefined));
  const hops = (await Promise.all(waiting)).map(([hop]) => hop);
  assertEquals(hops.filter((hop) => hop === "load").length, 448);
});

Deno.test("createOpenIdVerifier() counts the waiting against the deadline", async () => {
  const limits = () => ({ maxInFlight: 1, maxInWork: 9 });
  const { verify, calls, clock } = createHanging({ limits });
  const first = verify("a.example:1");
  const second = verify("a.example:1");
  await settle();
  clock.advance(7_000);
  calls[0]!.answer(vouch("a.example:1"));
  await first;
  await settle();
  assertEquals(calls.map(({ call }) => call.timeoutMs), [10_000, 3_000]);
  calls[1]!.answer(vouch("a.example:1"));
  await second;
});

/** How long a server is not asked again after each of its failures, in seconds. */
async function pauses(isOwn: boolean, count: number): Promise<number[]> {
  const clock = createManualClock();
  const client = createFakeClient(() => undefined);
  const verify = createVerifier({ client, clock, isOwn: () => isOwn });
  const seconds: number[] = [];
  for (let last = 0; seconds.length < count; clock.advance(500)) {
    const { length } = client.calls;
    assertEquals((await refusal(verify("a.example:1")))[0], "tcp");
    if (client.calls.length === length) continue;
    if (length > 0) seconds.push((clock.monotonic() - last) / 1000);
    last = clock.monotonic();
  }
  return seconds;
}

Deno.test("createOpenIdVerifier() leaves an unreachable server alone for 5 s, doubling to 60 s", async () => {
  assertEquals(await pauses(false, 6), [5, 10, 20, 40, 60, 60]);
});

Deno.test("createOpenIdVerifier() tries the operator's own server again every second", async () => {
  assertEquals(await pauses(true, 4), [1, 1, 1, 1]);
});

/** Fails one call, then tells whether the next one is made at once. */
async function isForgotten(answer: Answer | "late"): Promise<boolean> {
  const clock: ManualClock = createManualClock();
  const client = createFakeClient(() => {
    if (answer !== "late") return answer;
    throw new UpstreamError("http", "no answer in time");
  });
  const verify = createVerifier({ client, clock });
  for (let i = 0; i < 2; i++) await refusal(verify("a.example:1"));
  return client.calls.length === 2;
}

Deno.test("createOpenIdVerifier() remembers no refusal and no slow answer", async () => {
  assertEquals(await isForgotten({ status: 401 }), true);
  assertEquals(await isForgotten({ status: 500 }), true);
  assertEquals(await isForgotten("late"), true);
});

Deno.test("createOpenIdVerifier() takes one outage for one, and an answer for its end", async () => {
  let isUp = false;
  const clock = createManualClock();
  const client = createFakeClient((what) => isUp ? vouch("a.example:1") : (void what, undefined));
  const verify = createVerifier({ client, clock, isOwn: () => false });
  await Promise.all(Array.from({ length: 64 }, () => refusal(verify("a.example:1"))));
  clock.advance(5_000);
  isUp = true;
  await verify("a.example:1");
  isUp = false;
  await refusal(verify("a.example:1"));
  clock.advance(5_000);
  isUp = true;
  await verify("a.example:1");
});

Deno.test("createOpenIdVerifier() spares those who waited a server that is gone", async () => {
  const limits = () => ({ maxInFlight: 2, maxInWork: 99 });
  const { verify, calls } = createHanging({ limits });
  const waiting = Array.from({ length: 20 }, () => refusal(verify("a.example:1")));
  await settle();
  calls.forEach(({ answer }) => answer(undefined));
  const refusals = await Promise.all(waiting);
  assertEquals([calls.length, refusals.map(([hop]) => hop)], [2, Array(20).fill("tcp")]);
});

Deno.test("createOpenIdVerifier() looks a server up anew after it could not be reached", async () => {
  const clock = createManualClock();
  let delegated = "old.example:1";
  const client = createFakeClient((what) => {
    if (what.includes("well-known")) {
      return { body: JSON.stringify({ "m.server": delegated }), headers: { expires: "0" } };
    }
    return what.startsWith("new.example") ? vouch("a.example") : undefined;
  });
  const verify = createVerifier({ client, clock, isOwn: () => false });
  await refusal(verify("a.example"));
  delegated = "new.example:1";
  clock.advance(5_000);
  assertEquals((await verify("a.example")).userId, "@alice:a.example");
});

Deno.test("createOpenIdVerifier() ends a look-up that outlasts the request", async () => {
  const clock = createManualClock();
  const client = createFakeClient(() => new Promise(() => {}));
  const verify = createVerifier({ client, clock });
  const refused = refusal(verify("a.example", TOKEN, 2_000));
  await settle();
  clock.advance(2_000);
  const [hop, message] = await refused;
  assertEquals([hop, message], ["dns", "a.example could not be resolved in time"]);
});
