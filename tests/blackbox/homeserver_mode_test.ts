// Homeserver mode from outside: the service behind a stand-in of its homeserver that passes requests
// on and answers questions as Synapse does.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { TokenVerifier } from "livekit-server-sdk";
import { PROXIED_PATHS, type ProxiedCaller, proxyToService } from "../fakes/homeserver_proxy.ts";
import { hashedIdentity, legacyIdentity, liveKitRoom } from "../../lib/signing/names.ts";
import { secret, start, testSecrets } from "./support/watched.ts";
import {
  addressOf,
  AS_TOKEN,
  ask,
  exchangeBytes,
  sfuGetBody,
  startWorld,
  type World,
} from "./support/world.ts";

const HS_TOKEN = secret("hs-token-0123456789");
const ROOM_ID = "!room:example.com";
const ROOM = liveKitRoom(ROOM_ID, "m.call#ROOM");
const {
  clientGetToken: CLIENT_GET_TOKEN,
  delegate: DELEGATE,
  federationGetToken: FEDERATION_GET_TOKEN,
} = PROXIED_PATHS;

/** A world whose own homeserver has the service as its application service. */
async function startHomeserverWorld(env: Record<string, string> = {}): Promise<World> {
  const world = await startWorld(({ own, alice, bob }) => {
    own.appService.settings.rooms = { [ROOM_ID]: { users: [alice, bob] } };
    return {
      LIVEKIT_CS_API_URL_OVERRIDES: `${own.serverName}=${own.url}`,
      LIVEKIT_AS_TOKEN: AS_TOKEN,
      LIVEKIT_HS_TOKEN: HS_TOKEN,
      LIVEKIT_HS_SERVER_NAME: own.serverName,
      MATRIXRTC_MEMBERSHIP_CHECK_SECONDS: "0",
      ...env,
    };
  });
  // It asks its homeserver something at the start; tests count what comes after.
  await world.own.appService.asked(1);
  world.own.appService.questions.length = 0;
  return world;
}

async function pass(
  { service }: Pick<World, "service">,
  caller: ProxiedCaller,
  path: string,
  body: unknown,
  options: Parameters<typeof proxyToService>[4] = {},
) {
  const to = { serviceUrl: service.url, hsToken: HS_TOKEN };
  const response = await proxyToService(to, caller, path, body, options);
  const text = await response.text();
  // deno-lint-ignore no-explicit-any -- the tests look into whatever came
  const json: any = text === "" ? undefined : JSON.parse(text);
  return { status: response.status, headers: response.headers, json, errcode: json?.errcode };
}

function callOn({ sfu }: Pick<World, "sfu">) {
  return { url: sfu.liveKitUrl, room_id: ROOM_ID, slot_id: "m.call#ROOM", member_id: "memberABC" };
}

async function claimsOf({ sfu }: Pick<World, "sfu">, jwt: string) {
  return await new TokenVerifier(sfu.key, sfu.secret).verify(jwt);
}

Deno.test("a local user gets a token for the room", async () => {
  await using world = await startHomeserverWorld();
  const { alice, own, sfu } = world;
  for (const path of [CLIENT_GET_TOKEN, "/_matrix/client/v1/rtc/livekit/get_token"]) {
    const { status, json, headers } = await pass(world, { userId: alice }, path, callOn(world));
    assertEquals([status, Object.keys(json)], [200, ["jwt"]]);
    assertEquals(headers.get("access-control-allow-origin"), "*");
    const claims = await claimsOf(world, json.jwt);
    const seconds = (claims.exp as number) - (claims.nbf as number);
    assertEquals([claims.sub, claims.video, seconds], [
      hashedIdentity(alice, "memberABC"),
      {
        roomJoin: true,
        room: ROOM,
        roomCreate: false,
        canPublish: true,
        canSubscribe: true,
        canUpdateOwnMetadata: false,
        hidden: false,
      },
      600,
    ]);
    // Nobody on the SFU learns from it who it is.
    const attributes = JSON.stringify(claims.attributes);
    assert(!attributes.includes("alice") && !attributes.includes(ROOM_ID));
  }
  assertEquals(sfu.rooms, [ROOM]);
  // The second time it is known that Alice is joined.
  const asked = own.appService.questions.map(({ roomId, member }) => [roomId, member]);
  assertEquals(asked, [[ROOM_ID, alice]]);
});

Deno.test("the older form of the body works, and learns the SFU's address", async () => {
  await using world = await startHomeserverWorld();
  const { url: _, member_id: __, ...call } = callOn(world);
  const member = { id: "memberABC", claimed_device_id: "DEVICE" };
  const body = { ...call, member };
  const { json } = await pass(world, { userId: world.alice }, CLIENT_GET_TOKEN, body);
  assertEquals(json.url, world.sfu.liveKitUrl);
  assertEquals((await claimsOf(world, json.jwt)).sub, hashedIdentity(world.alice, "memberABC"));
});

Deno.test("every refusal of get_token", async (t) => {
  await using world = await startHomeserverWorld();
  const { alice, bob, own, other, sfu } = world;
  const call = callOn(world);
  own.appService.settings.rooms["!without"] = { users: [`@carol:${own.serverName}`] };
  const toClient = (body: unknown, userId = alice) =>
    pass(world, { userId }, CLIENT_GET_TOKEN, body);
  const toServer = (body: unknown, origin = other.serverName) =>
    pass(world, { origin }, FEDERATION_GET_TOKEN, body);
  const bobs = { ...call, user_id: bob };
  const long = `!${"a".repeat(255)}`;

  const cases: [name: string, answer: ReturnType<typeof toClient>, expected: [number, string]][] = [
    ["no JSON", toClient("{"), [400, "M_NOT_JSON"]],
    ["an empty body", toClient(undefined), [400, "M_NOT_JSON"]],
    ["a list", toClient([]), [400, "M_NOT_JSON"]],
    ["nothing in it", toClient({}), [400, "M_BAD_JSON"]],
    ["no url", toClient({ ...call, url: "" }), [400, "M_BAD_JSON"]],
    ["a wrong type", toClient({ ...call, member_id: 7 }), [400, "M_NOT_JSON"]],
    ["another url", toClient({ ...call, url: `${sfu.liveKitUrl}/` }), [400, "M_INVALID_PARAM"]],
    ["a url in capitals", toClient({ ...call, url: call.url.toUpperCase() }), [
      400,
      "M_INVALID_PARAM",
    ]],
    ["no user ID", toClient(call, "alice"), [400, "M_INVALID_PARAM"]],
    ["a user of another server", toClient(call, bob), [403, "M_FORBIDDEN"]],
    ["a user who is not joined", toClient({ ...call, room_id: "!without" }), [403, "M_FORBIDDEN"]],
    ["an unknown room", toClient({ ...call, room_id: "!unknown:x" }), [403, "M_FORBIDDEN"]],
    ["a room ID that is none", toClient({ ...call, room_id: ".." }), [400, "M_INVALID_PARAM"]],
    ["a room ID that is too long", toClient({ ...call, room_id: long }), [400, "M_INVALID_PARAM"]],
    ["a server_name that is none", toClient({ ...call, server_name: "a b" }), [
      400,
      "M_INVALID_PARAM",
    ]],
    ["a server that is not in the room", toClient({ ...call, server_name: "dead.example" }), [
      403,
      "M_FORBIDDEN",
    ]],
    ["a body that is too large", toClient({ ...call, x: "x".repeat(70_000) }), [
      413,
      "M_TOO_LARGE",
    ]],
    ["a server: no user ID", toServer({ ...bobs, user_id: "bob" }), [400, "M_INVALID_PARAM"]],
    ["a server: a user of ours", toServer({ ...bobs, user_id: alice }), [403, "M_FORBIDDEN"]],
    ["a server: no user_id", toServer(call), [400, "M_BAD_JSON"]],
    ["a server: not joined", toServer({ ...bobs, room_id: "!without" }), [403, "M_FORBIDDEN"]],
    ["a server: we are not there", toServer({ ...bobs, room_id: "!x" }), [403, "M_FORBIDDEN"]],
    ["a server: another url", toServer({ ...bobs, url: "wss://x" }), [400, "M_INVALID_PARAM"]],
    ["a server: no name", toServer(bobs, ""), [401, "M_UNAUTHORIZED"]],
  ];
  for (const [name, answer, expected] of cases) {
    const { status, errcode, json } = await answer;
    await t.step(`${name}: ${expected.join(" ")}`, () => {
      assertEquals([status, errcode], expected);
      assertEquals(typeof json.error, "string");
      assertEquals(JSON.stringify(json).includes("room:example"), false);
    });
  }
  assertEquals(sfu.count("CreateRoom"), 0);
});

for (const path of [CLIENT_GET_TOKEN, DELEGATE, FEDERATION_GET_TOKEN, "/_matrix/app/v1/ping"]) {
  Deno.test(`only the homeserver may call ${path}`, async () => {
    await using world = await startHomeserverWorld();
    const caller = path.includes("federation")
      ? { origin: world.other.serverName }
      : { userId: world.alice };
    const isForClients = path.includes("/client/");
    for (
      const [authorization, errcode] of [
        [null, "M_MISSING_TOKEN"],
        ["Bearer ", "M_MISSING_TOKEN"],
        [`Basic ${HS_TOKEN}`, "M_MISSING_TOKEN"],
        ["Bearer wrong", "M_UNKNOWN_TOKEN"],
        [`Bearer ${AS_TOKEN}`, "M_UNKNOWN_TOKEN"],
      ] as const
    ) {
      const options = { headers: { Authorization: authorization } };
      const answer = await pass(world, caller, path, callOn(world), options);
      assertEquals([answer.status, answer.errcode], [401, errcode]);
      const cors = answer.headers.get("access-control-allow-origin");
      assertEquals(cors, isForClients ? "*" : null);
    }
    const inQuery = `${path}?access_token=${HS_TOKEN}`;
    const options = { headers: { Authorization: null } };
    assertEquals((await pass(world, caller, inQuery, {}, options)).errcode, "M_MISSING_TOKEN");
    assertEquals(world.own.appService.questions, []);
  });
}

Deno.test("ping, preflights, other methods and other paths below _matrix", async () => {
  await using world = await startHomeserverWorld();
  const ping = await pass(world, { userId: world.alice }, "/_matrix/app/v1/ping", {});
  assertEquals([ping.status, ping.json], [200, {}]);
  const statusOf = async (method: string, path: string) => {
    const { status, headers } = await ask(world.service, method, path);
    return [status, headers.get("access-control-allow-origin"), headers.get("allow")];
  };
  assertEquals(await statusOf("OPTIONS", CLIENT_GET_TOKEN), [200, "*", null]);
  assertEquals(await statusOf("GET", CLIENT_GET_TOKEN), [405, "*", "POST"]);
  assertEquals(await statusOf("OPTIONS", FEDERATION_GET_TOKEN), [405, null, "POST"]);
  assertEquals(await statusOf("GET", FEDERATION_GET_TOKEN), [405, null, "POST"]);
  for (
    const path of [
      "/_matrix/client/unstable/org.other/rtc/livekit/get_token",
      "/_matrix/client/v3/get_token",
      "/_matrix/federation/v1/rtc/livekit/delegate_delayed_leave",
    ]
  ) {
    const { status, json } = await ask(world.service, "POST", path, {});
    assertEquals([path, status, json.errcode], [path, 404, "M_UNRECOGNIZED"]);
  }
});

Deno.test("without homeserver mode its paths are unknown", async () => {
  await using world = await startWorld();
  for (
    const path of [CLIENT_GET_TOKEN, DELEGATE, FEDERATION_GET_TOKEN, "/_matrix/app/v1/ping"]
  ) {
    const { status, json } = await ask(world.service, "POST", path, {});
    assertEquals([status, json.errcode], [404, "M_UNRECOGNIZED"]);
  }
});

Deno.test("a homeserver that does not say who is in the room: 502, and never a token", async () => {
  await using world = await startHomeserverWorld();
  const { own, alice, sfu } = world;
  const answers: (() => Response)[] = [
    () => Response.json({ errcode: "M_UNKNOWN", error: "down" }, { status: 500 }),
    () => Response.json({ errcode: "M_UNKNOWN_TOKEN", error: "who?" }, { status: 401 }),
    () => Response.json({ errcode: "M_FORBIDDEN", error: "no scope" }, { status: 403 }),
    () => Response.json({ errcode: "M_UNRECOGNIZED", error: "off" }, { status: 404 }),
    () => new Response("<html>", { status: 200 }),
    () => Response.json({}),
    () => Response.json({ joined: "true" }),
    () => Response.json({ joined: 1 }),
    () => Response.json([true]),
    () => Response.json({ joined: true }, { status: 203 }),
    () => new Response(null, { status: 302, headers: { location: `${own.url}/elsewhere` } }),
    () => new Response(`{"joined":true,"x":"${"x".repeat(100_000)}"}`),
  ];
  for (const [n, respond] of answers.entries()) {
    own.appService.settings.respond = respond;
    const { status, errcode, json } = await pass(
      world,
      { userId: alice },
      CLIENT_GET_TOKEN,
      callOn(world),
    );
    assertEquals([n, status, errcode, json.jwt], [n, 502, "M_UNKNOWN", undefined]);
  }
  delete own.appService.settings.respond;
  const body = callOn(world);
  assertEquals((await pass(world, { userId: alice }, CLIENT_GET_TOKEN, body)).status, 200);
  await own.close();
  own.appService.questions.length = 0;
  const other = { ...body, room_id: "!other:example.com" };
  assertEquals((await pass(world, { userId: alice }, CLIENT_GET_TOKEN, other)).status, 502);
  assertEquals(sfu.count("CreateRoom"), 1);
  await world.service.waitForLog(/LIVEKIT_AS_TOKEN/);
});

Deno.test("IDs of every kind reach the homeserver as they are", async () => {
  await using world = await startHomeserverWorld();
  const { own } = world;
  const fill = (start: string, bytes: number, end = "") =>
    start + "x".repeat(bytes - new TextEncoder().encode(start + end).length) + end;
  const rooms = [
    "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM",
    "!a/../../b:example.org",
    "!%2e%2e%2f:example.org",
    "!a?b#c&d=e+f g:example.org",
    "!\u{1f4de}\u00e9:example.org",
    fill("!", 255, ":example.org"),
    fill("!\u00e9", 255, ":example.org"),
    "!..",
  ];
  const users = ["alice", "a/../b", "a%2fb", "a+b=c", "\u{1f4de}\u00e9", "a?b#c&d"]
    .map((localpart) => `@${localpart}:${own.serverName}`)
    .concat(fill("@", 255, `:${own.serverName}`));
  for (const room of rooms) own.appService.settings.rooms[room] = { users };
  for (const room of rooms) {
    for (const user of users) {
      const body = { ...callOn(world), room_id: room };
      const { status, json } = await ask(world.service, "POST", CLIENT_GET_TOKEN, body, {
        "authorization": `Bearer ${HS_TOKEN}`,
        // Headers are bytes: one character for each byte of UTF-8.
        "x-matrix-user-identifier": String.fromCharCode(...new TextEncoder().encode(user)),
      });
      assertEquals([room, user, status], [room, user, 200]);
      const { sub, video } = await claimsOf(world, String(json.jwt));
      assertEquals([sub, video?.room], [
        hashedIdentity(user, "memberABC"),
        liveKitRoom(room, "m.call#ROOM"),
      ]);
    }
  }
  const asked = own.appService.questions.map(({ roomId, member }) =>
    JSON.stringify([roomId, member])
  );
  assertEquals(new Set(asked).size, rooms.length * users.length);
});

Deno.test("two servers, each with its service: the other server's user may only listen", async () => {
  await using world = await startHomeserverWorld();
  await using second = await startHomeserverWorld();
  const carol = second.alice;
  const members = { users: [carol, world.alice] };
  second.own.appService.settings.rooms = { [ROOM_ID]: members };
  world.own.appService.settings.rooms[ROOM_ID] = members;
  const { settings, federationCalls } = second.own.appService;
  settings.remotes[world.own.serverName] = { serviceUrl: world.service.url, hsToken: HS_TOKEN };

  const body = { ...callOn(world), server_name: world.own.serverName };
  const ofCarol = (changes: Record<string, unknown> = {}) =>
    pass(second, { userId: carol }, CLIENT_GET_TOKEN, { ...body, ...changes });
  const { status, json } = await ofCarol();
  assertEquals([status, Object.keys(json)], [200, ["jwt"]]);
  const claims = await claimsOf(world, json.jwt);
  assertEquals([claims.sub, claims.video?.canPublish, claims.video?.canSubscribe], [
    hashedIdentity(carol, "memberABC"),
    false,
    true,
  ]);
  assertEquals([world.sfu.rooms, second.sfu.rooms], [[ROOM], []]);
  assertEquals(federationCalls.map(({ destination, path }) => [destination, path]), [
    [world.own.serverName, FEDERATION_GET_TOKEN],
  ]);

  assertEquals((await ofCarol({ url: "wss://elsewhere" })).errcode, "M_INVALID_PARAM");
  world.own.appService.settings.rooms[ROOM_ID] = { users: [world.alice] };
  // What the other service remembers of Carol ends with its next start.
  const refusedThere = { room_id: "!new:example.com" };
  second.own.appService.settings.rooms["!new:example.com"] = members;
  assertEquals((await ofCarol(refusedThere)).errcode, "M_FORBIDDEN");

  const garbage: unknown[] = [
    { status: "200", content: { jwt: "a.b.c" } },
    { status: 200.5, content: { jwt: "a.b.c" } },
    { status: null, content: { jwt: "a.b.c" } },
    { content: { jwt: "a.b.c" } },
    { status: 200 },
    { status: 200, content: null },
    { status: 200, content: ["a.b.c"] },
    { status: 200, content: {} },
    { status: 200, content: { jwt: 7 } },
    { status: 200, content: { jwt: "<html>" } },
    { status: 200, content: { jwt: `a.b.${"c".repeat(20_000)}` } },
    { status: 403, content: { errcode: "M_UNKNOWN" } },
    { status: 400, content: { errcode: "M_FORBIDDEN" } },
    { status: 403, content: null },
    { status: 500, content: { errcode: "M_FORBIDDEN" } },
    { status: 429, content: { errcode: "M_LIMIT_EXCEEDED" } },
    { status: 999_999, content: { jwt: "a.b.c" } },
    "text",
    [],
    7,
  ];
  for (const answer of garbage) {
    settings.respond = (request) =>
      request.url.endsWith("/fed_proxy") ? Response.json(answer) : undefined;
    const { status, errcode } = await ofCarol();
    assertEquals([answer, status, errcode], [answer, 502, "M_UNKNOWN"]);
  }
  delete settings.respond;
  settings.remotes = {};
  assertEquals((await ofCarol()).status, 502);
  settings.answerFor = () => ({ status: 403, content: { errcode: "M_FORBIDDEN", error: "x" } });
  const refused = await ofCarol();
  assertEquals([refused.status, refused.errcode], [403, "M_FORBIDDEN"]);
});

Deno.test("the stand-alone mode goes on beside it", async () => {
  await using world = await startHomeserverWorld();
  const { status, json } = await ask(world.service, "POST", "/sfu/get", sfuGetBody(world));
  assertEquals([status, json.url], [200, world.sfu.liveKitUrl]);
  const claims = await claimsOf(world, String(json.jwt));
  assertEquals(claims.sub, legacyIdentity(world.alice, "DEVICE123"));
  assertEquals((claims.exp as number) - (claims.nbf as number), 3600);
  assertEquals(world.own.appService.questions, []);
  const inQuestion = await ask(world.service, "GET", "/", undefined, {
    accept: "application/json",
  });
  assertMatch(inQuestion.text, /_matrix\/client/);
});

Deno.test("a delayed leave is taken over in the user's name, and kept alive while waiting", async () => {
  await using world = await startHomeserverWorld();
  const { own, alice } = world;
  const delayId = secret(`delay-${crypto.randomUUID()}`);
  own.delayedEvents.schedule(delayId, 2_000, { userId: alice, roomId: ROOM_ID });
  const body = { ...callOn(world), delay_id: delayId };
  const { status, json } = await pass(world, { userId: alice }, DELEGATE, body);
  assertEquals([status, json], [200, {}]);
  assertEquals(own.delayedEvents.lookups.map(({ asUser }) => asUser), [alice]);
  // Nobody has joined, and longer than the delay has passed.
  await own.delayedEvents.performed(4);
  assertEquals(own.delayedEvents.state(delayId), "scheduled");
  const identity = hashedIdentity(alice, "memberABC");
  const event = { room: ROOM, participant: { identity, sid: "PA_1" } };
  world.sfu.join(ROOM, identity);
  const to = `${world.service.url}/sfu_webhook`;
  await world.sfu.sendWebhook(to, { event: "participant_joined", ...event });
  world.sfu.leave(ROOM, identity);
  const participant = { ...event.participant, disconnectReason: "CLIENT_INITIATED" };
  await world.sfu.sendWebhook(to, { event: "participant_left", room: ROOM, participant });
  assertEquals(await own.delayedEvents.ended(delayId), "sent");
  const asUsers = new Set(own.delayedEvents.actions.map(({ asUser }) => asUser));
  assertEquals([...asUsers], [alice]);
});

Deno.test("every refusal of delegate_delayed_leave", async (t) => {
  await using world = await startHomeserverWorld();
  const { own, alice } = world;
  const schedule = (content: Parameters<typeof own.delayedEvents.schedule>[2]) => {
    const delayId = secret(`delay-${crypto.randomUUID()}`);
    own.delayedEvents.schedule(delayId, 60_000, content);
    return delayId;
  };
  const good = schedule({ userId: alice, roomId: ROOM_ID });
  const foreign = schedule({ userId: `@carol:${own.serverName}`, roomId: ROOM_ID });
  const elsewhere = schedule({ userId: alice, roomId: "!other:example.com" });
  const toClient = (changes: Record<string, unknown>, userId = alice) =>
    pass(world, { userId }, DELEGATE, { ...callOn(world), delay_id: good, ...changes });
  const cases: [name: string, answer: ReturnType<typeof toClient>, expected: [number, string]][] = [
    ["no delay_id", toClient({ delay_id: "" }), [400, "M_BAD_JSON"]],
    ["a wrong type", toClient({ delay_id: 7 }), [400, "M_NOT_JSON"]],
    ["another url", toClient({ url: "wss://x" }), [400, "M_INVALID_PARAM"]],
    ["no user ID", toClient({}, "alice"), [400, "M_INVALID_PARAM"]],
    ["another server's user", toClient({}, world.bob), [403, "M_FORBIDDEN"]],
    ["an unknown event", toClient({ delay_id: "syd_x" }), [400, "M_INVALID_PARAM"]],
    ["another user's event", toClient({ delay_id: foreign }), [400, "M_INVALID_PARAM"]],
    ["another room's event", toClient({ delay_id: elsewhere }), [400, "M_INVALID_PARAM"]],
    ["dots", toClient({ delay_id: ".." }), [400, "M_INVALID_PARAM"]],
    ["a path", toClient({ delay_id: "../../../v3/logout" }), [400, "M_INVALID_PARAM"]],
  ];
  for (const [name, answer, expected] of cases) {
    const { status, errcode } = await answer;
    await t.step(`${name}: ${expected.join(" ")}`, () => {
      assertEquals([status, errcode], expected);
    });
  }
  await t.step("a homeserver that answers another user's event: 400 M_INVALID_PARAM", async () => {
    own.delayedEvents.settings.paths = "none";
    own.settings.respond = (request) =>
      new URL(request.url).pathname.includes("/delayed_events/")
        ? Response.json({
          delay_id: good,
          room_id: ROOM_ID,
          type: "org.matrix.msc3401.call.member",
          state_key: `_@carol:${own.serverName}_DEVICE_m.call`,
          delay_ms: 60_000,
        })
        : undefined;
    const { status, errcode } = await toClient({});
    assertEquals([status, errcode], [400, "M_INVALID_PARAM"]);
  });
  for (const status of [401, 403, 429, 500]) {
    await t.step(`a homeserver that answers ${status}: 503`, async () => {
      own.settings.respond = () => Response.json({ errcode: "M_UNKNOWN", error: "x" }, { status });
      const answer = await toClient({});
      assertEquals([answer.status, answer.errcode], [503, "M_UNKNOWN"]);
      assertEquals(answer.headers.get("retry-after"), "5");
    });
  }
  assertEquals(own.delayedEvents.actions, []);
});

Deno.test("who has left the room is removed from the call, who is there stays", async () => {
  await using world = await startHomeserverWorld({ MATRIXRTC_MEMBERSHIP_CHECK_SECONDS: "1" });
  const { own, alice, bob, sfu } = world;
  const attributesFor = async (caller: ProxiedCaller, path: string, more = {}) => {
    const { json } = await pass(world, caller, path, { ...callOn(world), ...more });
    const { sub, attributes } = await claimsOf(world, json.jwt);
    return { identity: String(sub), attributes: attributes as Record<string, string> };
  };
  const ofAlice = await attributesFor({ userId: alice }, CLIENT_GET_TOKEN);
  const origin = world.other.serverName;
  const ofBob = await attributesFor({ origin }, FEDERATION_GET_TOKEN, { user_id: bob });
  for (const { identity, attributes } of [ofAlice, ofBob]) {
    sfu.join(ROOM, identity, undefined, attributes);
  }
  // Nobody is removed on no answer.
  own.appService.settings.respond = () => new Response("down", { status: 502 });
  await world.service.waitForLog(/502/);
  assertEquals(sfu.count("RemoveParticipant"), 0);
  own.appService.settings.rooms[ROOM_ID] = { users: [alice] };
  delete own.appService.settings.respond;
  await world.service.waitForLog(/removed a participant/);
  const removed = sfu.calls.filter(({ method }) => method === "RemoveParticipant");
  assertEquals(removed.map(({ body }) => body), [{ room: ROOM, identity: ofBob.identity }]);

  // Whoever comes back with a token from before is removed at once.
  sfu.join(ROOM, ofBob.identity, undefined, ofBob.attributes);
  sfu.calls.length = 0;
  await sfu.sendWebhook(`${world.service.url}/sfu_webhook`, {
    event: "participant_joined",
    room: ROOM,
    participant: { ...ofBob, sid: "PA_2" },
  });
  await world.service.waitForLog(/(?:removed a participant[\s\S]*){2}/);
  assertEquals(
    (await pass(world, { origin }, FEDERATION_GET_TOKEN, {
      ...callOn(world),
      user_id: bob,
    })).errcode,
    "M_FORBIDDEN",
  );
});

Deno.test("user IDs in headers are read as the bytes that arrive", async () => {
  await using world = await startHomeserverWorld();
  const { own, sfu } = world;
  const user = `@zo\u00eb\u{1f4de}:${own.serverName}`;
  own.appService.settings.rooms[ROOM_ID] = { users: [user] };
  const body = JSON.stringify(callOn(world));
  const connection = await Deno.connect(addressOf(world.service));
  const answer = await exchangeBytes(
    connection,
    [
      `POST ${CLIENT_GET_TOKEN} HTTP/1.1`,
      "Host: rtc",
      "Connection: close",
      `Authorization: Bearer ${HS_TOKEN}`,
      `X-Matrix-User-Identifier: ${user}`,
      `Content-Length: ${body.length}`,
      "",
      body,
    ].join("\r\n"),
  );
  connection.close();
  assertMatch(answer, /^HTTP\/1\.1 200 /);
  assertEquals([own.appService.questions.at(-1)?.member, sfu.rooms], [user, [ROOM]]);
});

Deno.test("the log says at the start what is wrong between service and homeserver", async () => {
  await using world = await startHomeserverWorld();
  await world.service.waitForLog(/the homeserver answers its application service/);
  for (
    const [spoil, remedy] of [
      [{ asToken: "another" }, /LIVEKIT_AS_TOKEN/],
      [{ asToken: AS_TOKEN, hasScope: false }, /scope/],
      [{ hasScope: true, joinedPaths: "none" }, /msc4502_enabled/],
    ] as const
  ) {
    Object.assign(world.own.appService.settings, spoil);
    await using service = await start({ env: world.env });
    await service.waitForLog(remedy);
  }
});

testSecrets();
