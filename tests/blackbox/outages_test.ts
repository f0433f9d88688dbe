import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { readRequestHead, startRawServer, writeAll } from "../fakes/raw_server.ts";
import { SFU_SECRET } from "../fakes/sfu.ts";
import { start, test, testSecrets } from "./support/watched.ts";
import {
  addressOf,
  type Answer,
  ask,
  BOB,
  exchangeBytes,
  getTokenBody,
  openIdToken,
  startWorld,
} from "./support/world.ts";

const MAX_IN_WORK = 1_024;
/** What a single server may hold of them. */
const MAX_PER_SERVER = 512;

const NAMES = ["first.example", "second.example", "third.example"];

// The three names lead to one homeserver, so that a test can hold all of their answers back.
const world = await startWorld(({ own, other, sfu }) => ({
  LIVEKIT_FULL_ACCESS_HOMESERVERS: own.serverName,
  LIVEKIT_INTERNAL_URL: sfu.apiUrl,
  LIVEKIT_URL: "wss://sfu.example.org",
  MATRIXRTC_FEDERATION_URL_OVERRIDES: NAMES.map((name) => `${name}=${other.url}`).join(","),
}));
const { service, own, other, sfu } = world;
Deno.test.afterAll(async () => await world[Symbol.asyncDispose]());

function bodyOf(serverName: string): object {
  return {
    ...getTokenBody(world),
    openid_token: openIdToken("t", serverName),
    member: { id: "m", claimed_user_id: `@bob:${serverName}`, claimed_device_id: "D" },
  };
}

/** Vouches for Bob where a token is the name of its server, as {@linkcode join} has it. */
function vouch(request: Request): Response | undefined {
  const name = new URL(request.url).searchParams.get("access_token");
  return NAMES.includes(name ?? "") ? Response.json({ sub: `@bob:${name}` }) : undefined;
}

/** Holds all such answers back until told. */
function holdAnswers(): { release(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  other.settings.respond = async (request) => {
    await promise;
    return vouch(request);
  };
  return {
    release() {
      other.settings.respond = vouch;
      resolve();
    },
  };
}

function join(serverName: string): Promise<Answer> {
  const body = { ...bodyOf(serverName), openid_token: openIdToken(serverName, serverName) };
  return ask(service, "POST", "/get_token", body);
}

async function logLineOf({ headers }: Answer): Promise<string> {
  const id = headers.get("x-request-id");
  const [line] = await service.waitForLog(new RegExp(`^.* request=${id}$`, "m"));
  return line;
}

test("LIVEKIT_INTERNAL_URL is asked, LIVEKIT_URL is told to clients", async () => {
  const answer = await ask(service, "POST", "/get_token", getTokenBody(world));
  assertEquals([answer.status, answer.json.url], [200, "wss://sfu.example.org"]);
  assertEquals(sfu.count("CreateRoom"), 1);
});

test("a hanging homeserver delays no other server's users, and is held to half of the work", async () => {
  const held = holdAnswers();
  const waiting = Array.from({ length: MAX_PER_SERVER + 1 }, () => join(NAMES[0]!));
  // All but one wait; the one that is too much is told at once, also that it may come again.
  const refused = await Promise.race(waiting);
  assertEquals([refused.status, refused.json.errcode], [503, "M_UNKNOWN"]);
  assertMatch(refused.headers.get("retry-after")!, /^[1-9]\d*$/);
  assertEquals((await ask(service, "POST", "/get_token", getTokenBody(world))).status, 200);
  assertEquals((await ask(service, "GET", "/healthz")).status, 200);
  held.release();
  const statuses = (await Promise.all(waiting)).map(({ status }) => status);
  assertEquals(statuses.filter((status) => status === 503).length, 1);
  assertEquals(statuses.filter((status) => status === 200).length, MAX_PER_SERVER);
});

test("the 1025th request at once is 503 with Retry-After, while probes are answered", async () => {
  const held = holdAnswers();
  const waiting = Array.from({ length: MAX_IN_WORK + 1 }, (_, i) => join(NAMES[i % 3]!));
  const refused = await Promise.race(waiting);
  assertEquals([refused.status, refused.headers.get("retry-after"), refused.json], [503, "1", {
    errcode: "M_UNKNOWN",
    error: "Too many requests are in work",
  }]);
  assertEquals(refused.headers.get("access-control-allow-origin"), "*");
  assertEquals((await ask(service, "GET", "/healthz")).status, 200);
  assertEquals((await ask(service, "OPTIONS", "/get_token")).status, 200);
  assertEquals((await ask(service, "GET", "/get_token")).status, 405);
  held.release();
  const statuses = (await Promise.all(waiting)).map(({ status }) => status);
  assertEquals(statuses.filter((status) => status === 503).length, 1);
  assertEquals(statuses.filter((status) => status === 200).length, MAX_IN_WORK);
  assertEquals((await join(NAMES[0]!)).status, 200);
});

test("a homeserver where nobody listens is 401, the log names the hop", async () => {
  const gone = startRawServer({ handle() {} });
  await gone.close();
  const answer = await ask(service, "POST", "/get_token", bodyOf(`127.0.0.1:${gone.port}`));
  assertEquals([answer.status, answer.json.errcode], [401, "M_UNAUTHORIZED"]);
  assertMatch(await logLineOf(answer), /WARNING .*refused.* hop=tcp /i);
});

test("a homeserver without TLS is 401, the log names the hop", async () => {
  await using plain = startRawServer({
    handle: (connection) => writeAll(connection, "HTTP/1.1 400 Bad Request\r\n\r\n"),
  });
  const answer = await ask(service, "POST", "/get_token", bodyOf(`127.0.0.1:${plain.port}`));
  assertEquals(answer.status, 401);
  assertStringIncludes(await logLineOf(answer), "hop=tls");
});

test("a homeserver whose name leads nowhere is 401, the log names the hop", async () => {
  const answer = await ask(service, "POST", "/get_token", bodyOf("nowhere.invalid"));
  assertEquals(answer.status, 401);
  assertStringIncludes(await logLineOf(answer), "hop=dns");
});

const SFU_ANSWERS: [name: string, respond: () => Response, says: RegExp][] = [
  ["a web page", () => new Response("<html>", { status: 200 }), /HTTP 200 with a web page/],
  ["an empty answer", () => new Response(""), /HTTP 200 with an empty body/],
  [
    "a proxy's 404",
    () => new Response("404 page not found", { status: 404 }),
    /HTTP 404 with plain/,
  ],
  ["a proxy's 502", () => new Response("<html>", { status: 502 }), /HTTP 502 with a web page/],
  ["a redirect", () => Response.redirect("https://evil.example/", 301), /HTTP 301/],
  [
    "LiveKit's refusal",
    () => Response.json({ code: "resource_exhausted", msg: "no node" }, { status: 429 }),
    /LiveKit says resource_exhausted: no node/,
  ],
];
let room = 0;

function join500(): Promise<Answer> {
  // Each asks for a room of its own: one that was just created is not asked for again.
  return ask(service, "POST", "/get_token", { ...getTokenBody(world), room_id: `!r${room++}:a` });
}

async function assertSfuFailure(answer: Answer): Promise<string> {
  assertEquals([answer.status, answer.json], [500, {
    errcode: "M_UNKNOWN",
    error: "Unable to create room on SFU",
  }]);
  assertEquals(answer.headers.get("access-control-allow-origin"), "*");
  const line = await logLineOf(answer);
  assertMatch(line, / ERROR +Unable to create room on SFU: CreateRoom at http:\/\/127\.0\.0\.1:/);
  return line;
}

for (const [name, respond, says] of SFU_ANSWERS) {
  test(`an SFU that answers with ${name} is 500, the log tells what came`, async () => {
    sfu.settings.respond = respond;
    try {
      const line = await assertSfuFailure(await join500());
      assertMatch(line, says);
      assertStringIncludes(line, "hop=answer");
    } finally {
      sfu.settings.respond = () => undefined;
    }
    assertEquals((await join500()).status, 200);
  });
}

test("a wrong LIVEKIT_SECRET is 500, the log tells what to check and no token", async () => {
  await using wrong = await start({
    env: { ...world.env, LIVEKIT_SECRET: `${SFU_SECRET}-wrong` },
  });
  const answer = await ask(wrong, "POST", "/get_token", getTokenBody(world));
  assertEquals(answer.status, 500);
  await wrong.waitForLog(/HTTP 401 with plain text \(check key, secret and clock\)/);
  const ready = await ask(wrong, "GET", "/readyz");
  const { status, checks } = ready.json;
  assertEquals([ready.status, status, (checks as { sfu: string }).sfu], [
    503,
    "not ready",
    "failed",
  ]);
  await wrong.waitForLog(/not ready: ListRooms at .* check=sfu/);
});

test("an SFU that is down, silent, slow or talks nonsense is 500 with its hop", async () => {
  await using silent = startRawServer({ handle: () => new Promise(() => {}) });
  await using garbage = startRawServer({
    async handle(connection) {
      await readRequestHead(connection);
      await writeAll(connection, "SSH-2.0-OpenSSH_9.9\r\n");
    },
  });
  await using slow = startRawServer({
    async handle(connection) {
      await readRequestHead(connection);
      await writeAll(connection, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
      await new Promise(() => {});
    },
  });
  const down = startRawServer({ handle() {} });
  await down.close();
  const cases: [host: string, hop: string, says: RegExp][] = [
    [silent.host, "http", /no answer from .* in 5\.0 s/],
    [slow.host, "http", /no end of the answer from .* in 5\.0 s/],
    [garbage.host, "http", /no answer from/],
    [down.host, "tcp", /refused/i],
  ];
  // The slow ones take their five seconds side by side.
  await Promise.all(cases.map(async ([host, hop, says]) => {
    await using broken = await start({
      env: { ...world.env, LIVEKIT_INTERNAL_URL: `http://${host}`, MATRIXRTC_LOG_FORMAT: "json" },
    });
    const answer = await ask(broken, "POST", "/get_token", getTokenBody(world));
    assertEquals([answer.status, answer.json], [500, {
      errcode: "M_UNKNOWN",
      error: "Unable to create room on SFU",
    }]);
    const id = answer.headers.get("x-request-id");
    const [line] = await broken.waitForLog(new RegExp(`^.*"request":"${id}".*$`, "m"));
    const record = JSON.parse(line);
    assertEquals([record.level, record.hop, record.status], ["error", hop, 500]);
    assertMatch(record.message, says);
    // A restricted user needs no SFU.
    const bobs = {
      ...getTokenBody(world),
      openid_token: openIdToken(BOB, other.serverName),
      member: { id: "m", claimed_user_id: world.bob, claimed_device_id: "D" },
    };
    assertEquals((await ask(broken, "POST", "/get_token", bobs)).status, 200);
  }));
});

test("half a request that never goes on holds nobody up", async () => {
  using connection = await Deno.connect(addressOf(service));
  await writeAll(connection, "POST /get_token HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{");
  assertEquals((await ask(service, "POST", "/get_token", getTokenBody(world))).status, 200);
  using second = await Deno.connect(addressOf(service));
  const reply = await exchangeBytes(
    second,
    "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
  );
  assertMatch(reply, /^HTTP\/1\.1 200 /);
});

test("users come again when their homeserver does", async () => {
  own.settings.respond = () => new Response(null, { status: 503 });
  assertEquals((await ask(service, "POST", "/get_token", getTokenBody(world))).status, 401);
  own.settings.respond = () => undefined;
  assertEquals((await ask(service, "POST", "/get_token", getTokenBody(world))).status, 200);
});

testSecrets();
