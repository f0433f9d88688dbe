import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createClientApi } from "../../lib/homeserver/client_api.ts";
import { createOwnHomeserver } from "../../lib/homeserver/own_homeserver.ts";
import type { HttpClient } from "../../lib/net/http_client.ts";
import { Secret } from "../../lib/secret.ts";
import { startHttpServer } from "../fakes/http_server.ts";
import { failureOf, hopOf } from "../net/fixtures.ts";
import { createManualClock } from "../support/manual_clock.ts";
import { createFakeClient } from "../verification/fixtures.ts";
import { AS_TOKEN, OWN, pathsOf, startWorld } from "./fixtures.ts";

const PATH = "/_matrix/client/unstable/io.element.msc4502/rooms/!a%2Fb/is_joined";
const QUESTION = { what: "a test", path: PATH, query: { mxid: "@a b&+:c" }, deadline: 4_000 };

Deno.test("ask() comes with the token, and says nothing that it was not told to", async () => {
  await using world = await startWorld();
  const answer = await world.own.ask(QUESTION);
  assertEquals(answer, {
    status: 200,
    fields: { joined: false },
    errcode: undefined,
    where: `a test at ${world.homeserver.url}`,
  });
  const [{ method, path, headers }] = world.homeserver.requests as [
    typeof world.homeserver.requests[0],
  ];
  assertEquals([method, path], ["GET", `${PATH}?mxid=%40a%20b%26%2B%3Ac`]);
  assertEquals(headers.get("authorization"), `Bearer ${AS_TOKEN}`);
  assertEquals([...headers.keys()].sort(), ["authorization", "connection", "host"]);
  assertEquals(world.suspected, []);
});

Deno.test("ask() posts what has a body", async () => {
  await using world = await startWorld();
  let body = "";
  world.appService.settings.respond = async (request) => {
    body = await request.text();
    return Response.json({ errcode: "M_FORBIDDEN" }, { status: 403 });
  };
  const path = "/_matrix/client/unstable/io.element.msc4512/appservice/fed_proxy";
  const { status, errcode } = await world.own.ask({ ...QUESTION, path, body: { a: "\u00e9" } });
  assertEquals([status, errcode, body], [403, "M_FORBIDDEN", '{"a":"\u00e9"}']);
  assertEquals(world.homeserver.requests[0]!.method, "POST");
  assertEquals(world.homeserver.requests[0]!.headers.get("content-type"), "application/json");
});

const answers: Record<string, [BodyInit, number, string]> = {
  "a page in place of JSON": ["<html>", 200, "HTTP 200, but no JSON object"],
  "nothing": ["", 200, "no JSON object"],
  "a list": ["[]", 200, "no JSON object"],
  "null": ["null", 200, "no JSON object"],
  "a number": ["5", 200, "no JSON object"],
  "bytes that are no text": [new Uint8Array([0xff, 0xfe]), 200, "no JSON object"],
  "a proxy's error": ["Bad Gateway", 502, "HTTP 502 without a Matrix error code"],
  "an error without code": ["{}", 404, "HTTP 404 without a Matrix error code"],
  "an error with something else for a code": [
    '{"errcode":"see @alice:example.org"}',
    403,
    "HTTP 403 without a Matrix error code",
  ],
  "an error whose code is a number": ['{"errcode":5}', 500, "without a Matrix error code"],
  "64 KiB and more": [`{"a":"${"a".repeat(65_536)}"}`, 200, "larger than 65536 bytes"],
};
for (const [what, [body, status, message]] of Object.entries(answers)) {
  Deno.test(`ask() does not take ${what} for the homeserver's word`, async () => {
    await using world = await startWorld();
    world.appService.settings.respond = () => new Response(body, { status });
    const failure = await failureOf(world.own.ask(QUESTION));
    assertStringIncludes(failure.message, message);
    for (const hidden of [AS_TOKEN, "@a b", "%40a", "@alice"]) {
      assert(!failure.message.includes(hidden), failure.message);
    }
    assertEquals(world.suspected, [OWN]);
  });
}

Deno.test("ask() follows no redirect, and the token goes nowhere else", async () => {
  await using other = startHttpServer({ handler: () => Response.json({}) });
  await using world = await startWorld();
  for (const status of [301, 302, 303, 307, 308]) {
    world.appService.settings.respond = () =>
      new Response(null, { status, headers: { location: `${other.url}/` } });
    const [hop, message] = await hopOf(world.own.ask(QUESTION));
    assertEquals(hop, "answer");
    assertStringIncludes(message, `HTTP ${status}, a redirect, which is not followed`);
  }
  assertEquals([other.requests, world.homeserver.requests.length], [[], 5]);
});

Deno.test("ask() ends when its time does, and tells who was asked", async () => {
  await using world = await startWorld();
  const { promise, resolve } = Promise.withResolvers<Response>();
  world.appService.settings.respond = () => promise;
  const failing = hopOf(world.own.ask(QUESTION));
  await world.homeserver.received(1);
  world.clock.advance(4_000);
  const [hop, message] = await failing;
  assertEquals([hop, world.suspected], ["http", [OWN]]);
  assertStringIncludes(message, `no answer from 127.0.0.1:${world.homeserver.port} in 4.0 s`);
  resolve(Response.json({}));
  const [lateHop, lateMessage] = await hopOf(world.own.ask(QUESTION));
  assertEquals([lateHop, world.homeserver.requests.length], ["http", 1]);
  assertStringIncludes(lateMessage, "no time was left");
});

Deno.test("ask() goes below the base URL's path", async () => {
  await using server = startHttpServer({ handler: () => Response.json({ joined: true }) });
  await using world = await startWorld({ baseUrl: `${server.url}/matrix/` });
  const { where } = await world.own.ask(QUESTION);
  assertEquals(where, `a test at ${server.url}/matrix`);
  assertEquals(server.requests[0]!.path.startsWith("/matrix/_matrix/client/"), true);
  assertEquals(pathsOf(world.homeserver), []);
});

Deno.test("ask() tells at which hop a homeserver that is down could not be reached", async () => {
  await using world = await startWorld({ baseUrl: "http://127.0.0.1:1" });
  const [hop] = await hopOf(world.own.ask(QUESTION));
  assertEquals([hop, world.suspected], ["tcp", [OWN]]);
});

Deno.test("ask() does not wait beyond its time for the client API to be found", async () => {
  const clock = createManualClock();
  const never = {
    resolve: () => new Promise<never>(() => {}),
    peek: () => undefined,
    suspect() {},
  };
  const client = createFakeClient(() => ({ body: "{}" }));
  const own = createOwnHomeserver({
    serverName: OWN,
    asToken: new Secret(AS_TOKEN),
    client,
    clientApi: never,
    clock,
  });
  const failing = hopOf(own.ask(QUESTION));
  clock.advance(4_000);
  assertEquals(await failing, ["http", `${OWN}'s client API could not be found in time`]);
  assertEquals(client.calls, []);
});

Deno.test("ask() finds the client API by the configured name, and sends the token nowhere before", async () => {
  const clock = createManualClock();
  const headers: unknown[] = [];
  const client: HttpClient = {
    request(target, request) {
      headers.push([target.hostHeader, request.headers?.authorization]);
      const url = "https://matrix.own.example";
      const body = JSON.stringify({ "m.homeserver": { base_url: url } });
      return Promise.resolve({ status: 200, headers: {}, body: new TextEncoder().encode(body) });
    },
    close: () => Promise.resolve(),
  };
  const clientApi = createClientApi({ client, clock, overrides: new Map(), isOwn: () => false });
  const asToken = new Secret(AS_TOKEN);
  const own = createOwnHomeserver({ serverName: OWN, asToken, client, clientApi, clock });
  assertEquals((await own.ask(QUESTION)).where, "a test at https://matrix.own.example");
  assertEquals(headers, [[OWN, undefined], ["matrix.own.example", `Bearer ${AS_TOKEN}`]]);
});
