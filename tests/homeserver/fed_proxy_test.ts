import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createRequestRemoteToken } from "../../lib/homeserver/fed_proxy.ts";
import type { RemoteTokenRequest } from "../../lib/homeserver/remote_tokens.ts";
import { failureOf, hopOf } from "../net/fixtures.ts";
import { createManualClock } from "../support/manual_clock.ts";
import type { FederationAnswer, FederationCall } from "../fakes/app_service.ts";
import { PROXIED_PATHS } from "../fakes/homeserver_proxy.ts";
import { startHttpServer } from "../fakes/http_server.ts";
import {
  answerAll,
  AS_TOKEN,
  createFakeHomeserver,
  OWN,
  startWorld,
  TIMEOUT_MS,
} from "./fixtures.ts";

const OTHER = "other.example:8448";
const UNSTABLE = PROXIED_PATHS.federationGetToken;
const STABLE = "/_matrix/federation/v1/rtc/livekit/get_token";
const JWT = "eyJh.eyJz-_.c2ln";
const REQUEST: RemoteTokenRequest = {
  userId: "@alice:own.example",
  url: "wss://sfu.other.example/",
  roomId: "!room:example.org",
  slotId: "m.call#ROOM",
  memberId: "member-1",
  claimedDeviceId: undefined,
};

/** A homeserver that gives other servers' answers as a test has them. */
async function startFederation(answer: (call: FederationCall) => FederationAnswer | undefined) {
  const world = await startWorld({ appService: { answerFor: answer } });
  const ask = (change: Partial<RemoteTokenRequest> = {}) =>
    world.requestRemoteToken(OTHER, { ...REQUEST, ...change }, TIMEOUT_MS);
  return Object.assign(world, { ask, calls: world.appService.federationCalls });
}

Deno.test("requestRemoteToken() brings the token, over another server's service", async () => {
  let body: unknown;
  await using service = startHttpServer({
    async handler(request) {
      body = await request.json();
      return Response.json({ jwt: JWT, url: "wss://sfu.other.example/rtc", more: 1 });
    },
  });
  const remotes = { [OTHER]: { serviceUrl: service.url, hsToken: "hs-token" } };
  await using world = await startWorld({ appService: { remotes } });
  const answer = await world.requestRemoteToken(OTHER, REQUEST, TIMEOUT_MS);
  assertEquals(answer, { kind: "token", joinToken: JWT, url: "wss://sfu.other.example/rtc" });
  assertEquals(body, {
    url: "wss://sfu.other.example/",
    room_id: "!room:example.org",
    slot_id: "m.call#ROOM",
    member_id: "member-1",
    user_id: "@alice:own.example",
  });
  const [{ path, headers }] = service.requests as [typeof service.requests[0]];
  assertEquals([path, headers.get("x-matrix-origin")], [UNSTABLE, OWN]);
  assert(!headers.get("authorization")!.includes(AS_TOKEN));
});

Deno.test("requestRemoteToken() sends the older form of members beside the newer", async () => {
  await using world = await startFederation(() => ({ status: 200, content: { jwt: JWT } }));
  const answer = await world.ask({ url: undefined, claimedDeviceId: "DEVICE" });
  assertEquals(answer, { kind: "token", joinToken: JWT, url: undefined });
  assertEquals(world.calls, [{
    destination: OTHER,
    method: "POST",
    path: UNSTABLE,
    body: {
      room_id: "!room:example.org",
      slot_id: "m.call#ROOM",
      member_id: "member-1",
      member: { id: "member-1", claimed_device_id: "DEVICE" },
      user_id: "@alice:own.example",
    },
  }]);
});

for (const errcode of ["M_UNRECOGNIZED", "M_NOT_FOUND"]) {
  Deno.test(`requestRemoteToken() tries the stable path where the unstable one is ${errcode}`, async () => {
    await using world = await startFederation(({ path }) =>
      path === STABLE
        ? { status: 200, content: { jwt: JWT } }
        : { status: 404, content: { errcode } }
    );
    assertEquals((await world.ask()).kind, "token");
    assertEquals(world.calls.map(({ path }) => path), [UNSTABLE, STABLE]);
  });
}

Deno.test("requestRemoteToken() tries no third path, and says what is missing", async () => {
  const content = { errcode: "M_UNRECOGNIZED" };
  await using world = await startFederation(() => ({ status: 404, content }));
  const { hop, message } = await failureOf(world.ask());
  assertEquals([hop, world.calls.length], ["answer", 2]);
  assertStringIncludes(message, "that server has no MSC4195");
});

Deno.test("requestRemoteToken() has one deadline for both paths", async () => {
  const clock = createManualClock();
  const homeserver = createFakeHomeserver(({ deadline }) => {
    assertEquals(deadline, 4_000);
    clock.advance(1_500);
    return { fields: { status: 404, content: { errcode: "M_UNRECOGNIZED" } } };
  });
  await hopOf(createRequestRemoteToken({ homeserver, clock })(OTHER, REQUEST, 4_000));
  assertEquals(homeserver.asked.length, 2);
});

Deno.test("requestRemoteToken() knows two refusals", async () => {
  await using world = await startFederation(() => undefined);
  const { settings } = world.appService;
  settings.answerFor = () => ({ status: 403, content: { errcode: "M_FORBIDDEN" } });
  assertEquals(await world.ask(), { kind: "forbidden" });
  settings.answerFor = () => ({ status: 400, content: { errcode: "M_INVALID_PARAM" } });
  assertEquals(await world.ask(), { kind: "invalid-param" });
});

const others: [number, Record<string, unknown> | null][] = [
  [400, { errcode: "M_FORBIDDEN" }],
  [403, { errcode: "M_INVALID_PARAM" }],
  [403, {}],
  [403, null],
  [403, { errcode: "M_UNRECOGNIZED" }],
  [500, { errcode: "M_NOT_FOUND" }],
  [401, { errcode: "M_UNAUTHORIZED" }],
  [404, null],
  [404, {}],
  [429, { errcode: "M_LIMIT_EXCEEDED" }],
  [500, { errcode: "M_UNKNOWN", error: "secret words of @mallory" }],
  [502, { errcode: "secret words of @mallory" }],
  [503, { errcode: ["M_FORBIDDEN"] }],
  [302, { jwt: JWT }],
  [204, { jwt: JWT }],
  [201, { jwt: JWT }],
  [100, { jwt: JWT }],
];
for (const [status, content] of others) {
  const what = `${status} ${JSON.stringify(content)}`;
  Deno.test(`requestRemoteToken() takes ${what} for a failure`, async () => {
    await using world = await startFederation(() => ({ status, content }));
    const { hop, message } = await failureOf(world.ask());
    assertEquals([hop, world.calls.length], ["answer", 1]);
    assertStringIncludes(message, `get_token of ${OTHER}: HTTP ${status}`);
    for (const hidden of ["mallory", "secret", "alice", "room", AS_TOKEN, JWT]) {
      assert(!message.includes(hidden), message);
    }
  });
}

const tokens: unknown[] = [
  undefined,
  null,
  "",
  5,
  true,
  [JWT],
  { jwt: JWT },
  "a.b",
  "a.b.c.d",
  "a.b.",
  "..",
  ".b.c",
  "a.b.c=",
  "a.b.c\n",
  " a.b.c",
  "a.b/.c",
  "a.b+.c",
  "a.b.c\u00e9",
  `a.b.${"c".repeat(16_384 - 3)}`,
];
for (const jwt of tokens) {
  Deno.test(`requestRemoteToken() takes ${JSON.stringify(jwt)?.slice(0, 20)} for no token`, async () => {
    await using world = await startFederation(() => ({ status: 200, content: { jwt } }));
    const { hop, message } = await failureOf(world.ask());
    assertEquals([hop, message], ["answer", `get_token of ${OTHER}: HTTP 200 without a token`]);
  });
}

Deno.test("requestRemoteToken() takes a token of 16 KiB", async () => {
  const jwt = `a.b.${"c".repeat(16_384 - 4)}`;
  await using world = await startFederation(() => ({ status: 200, content: { jwt } }));
  assertEquals(await world.ask(), { kind: "token", joinToken: jwt, url: undefined });
});

const urls: [unknown, boolean][] = [
  ["wss://a.example", true],
  ["ws://a.example:7880/x", true],
  ["https://a.example", true],
  ["http://a.example", true],
  [`wss://a.example/${"a".repeat(2_048 - 16)}`, true],
  [`wss://a.example/${"a".repeat(2_048 - 15)}`, false],
  ["javascript:alert(1)", false],
  ["file:///etc/passwd", false],
  ["a.example", false],
  ["", false],
  [null, false],
  [5, false],
  [["wss://a.example"], false],
];
for (const [url, isTaken] of urls) {
  const what = JSON.stringify(url).slice(0, 40);
  Deno.test(`requestRemoteToken() ${isTaken ? "hands on" : "ignores"} the url ${what}`, async () => {
    await using world = await startFederation(() => ({ status: 200, content: { jwt: JWT, url } }));
    const expected = isTaken ? url : undefined;
    assertEquals(await world.ask(), { kind: "token", joinToken: JWT, url: expected as string });
  });
}

const token = `{"jwt":"${JWT}"}`;
const garbage = [
  `{}`,
  `{"content":${token}}`,
  `{"status":"200","content":${token}}`,
  `{"status":null,"content":${token}}`,
  `{"status":NaN,"content":${token}}`,
  `{"status":[200],"content":${token}}`,
  `{"status":200.5,"content":${token}}`,
  `{"status":1e400,"content":${token}}`,
  `{"status":-200,"content":${token}}`,
  `{"status":0,"content":${token}}`,
  `{"status":99,"content":${token}}`,
  `{"status":600,"content":${token}}`,
  `{"status":true,"content":${token}}`,
  `{"status":200}`,
  `{"status":200,"content":null}`,
  `{"status":200,"content":[${token}]}`,
  `{"status":200,"content":"${JWT}"}`,
  `{"status":200,"content":5}`,
  `{"status":403,"content":"M_FORBIDDEN"}`,
  `{"status":403,"content":[{"errcode":"M_FORBIDDEN"}]}`,
  `[200,${token}]`,
  `null`,
  ``,
  `<html>`,
  `{"jwt":"${JWT}"}`,
];
for (const body of garbage) {
  Deno.test(`requestRemoteToken() makes nothing of ${JSON.stringify(body)}`, async () => {
    await using world = await startFederation(() => undefined);
    answerAll(world.appService.settings, body);
    const { hop, message } = await failureOf(world.ask());
    assertEquals([hop, world.homeserver.requests.length], ["answer", 1]);
    // JSON has no NaN.
    const isObject = body.startsWith("{") && !body.includes("NaN");
    assertStringIncludes(message, isObject ? "without status and content" : "no JSON object");
    assert(!message.includes(JWT), message);
  });
}

Deno.test("requestRemoteToken() makes nothing of numbers that JSON has not", async () => {
  for (const status of [NaN, Infinity, 200n, undefined]) {
    const fields = { status, content: { jwt: JWT } };
    const homeserver = createFakeHomeserver(() => ({ fields }));
    const ask = createRequestRemoteToken({ homeserver, clock: createManualClock() });
    assertEquals((await hopOf(ask(OTHER, REQUEST, TIMEOUT_MS)))[0], "answer");
  }
});

const PREFIX = "IO.ELEMENT.MSC4512.M_FEDPROXY_";
const refusals: [number, string, string][] = [
  [401, "M_UNKNOWN_TOKEN", "the homeserver does not know LIVEKIT_AS_TOKEN"],
  [403, "M_FORBIDDEN", "LIVEKIT_AS_TOKEN is not an application service's token"],
  [403, `${PREFIX}DESTINATION_DENIED`, "federation_domain_whitelist"],
  [403, `${PREFIX}PATH_NOT_ALLOWED`, "io.element.msc4512.proxy_prefix: rtc/livekit"],
  [400, `${PREFIX}NO_PROXY_PREFIX`, "io.element.msc4512.proxy_prefix: rtc/livekit"],
  [502, `${PREFIX}CONNECTION_FAILED`, "cannot reach that server over federation"],
  [404, "M_UNRECOGNIZED", "experimental_features.msc4512_enabled"],
  [400, "M_INVALID_PARAM", "HTTP 400 M_INVALID_PARAM"],
  [429, "M_LIMIT_EXCEEDED", "rate_limited: false"],
  [500, "M_UNKNOWN", "HTTP 500 M_UNKNOWN"],
];
for (const [status, errcode, remedy] of refusals) {
  Deno.test(`requestRemoteToken() has a remedy for the homeserver's ${errcode}`, async () => {
    await using world = await startFederation(() => undefined);
    answerAll(world.appService.settings, JSON.stringify({ errcode, error: "@mallory" }), status);
    const { hop, message } = await failureOf(world.ask());
    assertEquals([hop, world.homeserver.requests.length], ["answer", 1]);
    assertStringIncludes(
      message,
      `fed_proxy to ${OTHER} at ${world.homeserver.url}: HTTP ${status}`,
    );
    assertStringIncludes(message, remedy);
    assert(!message.includes("mallory"), message);
  });
}

Deno.test("requestRemoteToken() hears from the fake what Synapse says", async () => {
  await using world = await startWorld();
  const ask = (name: string) => hopOf(world.requestRemoteToken(name, REQUEST, TIMEOUT_MS));
  assertStringIncludes((await ask("dead.example"))[1], "CONNECTION_FAILED");
  assertStringIncludes((await ask(OWN))[1], "DESTINATION_DENIED");
  world.appService.settings.hasFedProxy = false;
  assertStringIncludes((await ask(OTHER))[1], "M_UNRECOGNIZED");
});

Deno.test("requestRemoteToken() waits no longer than it may", async () => {
  await using world = await startFederation(() => undefined);
  const { promise, resolve } = Promise.withResolvers<Response>();
  world.appService.settings.respond = () => promise;
  const failing = hopOf(world.ask());
  await world.homeserver.received(1);
  world.clock.advance(TIMEOUT_MS);
  assertEquals((await failing)[0], "http");
  resolve(Response.json({}));
});
