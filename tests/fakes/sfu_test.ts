import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  AccessToken,
  type AccessTokenOptions,
  RoomServiceClient,
  TwirpError,
  type VideoGrant,
  WebhookReceiver,
} from "livekit-server-sdk";
import { createTestCa } from "../support/test_ca.ts";
import { startHttpServer } from "./http_server.ts";
import { type Sfu, startSfu } from "./sfu.ts";
import type { WebhookChanges, WebhookEvent } from "./sfu_webhook.ts";

async function post(
  sfu: Sfu,
  method: string,
  body: string,
  grant?: VideoGrant,
): Promise<{ status: number; text: string }> {
  const token = new AccessToken(sfu.key, sfu.secret);
  if (grant) token.addGrant(grant);
  const response = await fetch(`${sfu.apiUrl}/twirp/livekit.RoomService/${method}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(grant && { authorization: `Bearer ${await token.toJwt()}` }),
    },
    body,
  });
  return { status: response.status, text: await response.text() };
}

Deno.test("startSfu() satisfies LiveKit's own client", async () => {
  await using sfu = startSfu({});
  const client = new RoomServiceClient(sfu.apiUrl, sfu.key, sfu.secret);
  const room = await client.createRoom({ name: "call", emptyTimeout: 60, departureTimeout: 5 });
  assertEquals([room.name, room.emptyTimeout, room.departureTimeout], ["call", 60, 5]);
  assertEquals((await client.createRoom({ name: "call" })).sid, room.sid);

  const sid = sfu.join("call", "@alice:example.org:DEVICE");
  assertEquals((await client.getParticipant("call", "@alice:example.org:DEVICE")).sid, sid);
  assertEquals((await client.listParticipants("call")).length, 1);
  assertEquals((await client.listRooms(["call"]))[0]?.numParticipants, 1);
  await client.removeParticipant("call", "@alice:example.org:DEVICE");
  assertEquals(await client.listParticipants("call"), []);
  await client.deleteRoom("call");
  assertEquals(sfu.rooms, []);
  assertEquals(sfu.count("CreateRoom"), 2);
});

Deno.test("startSfu() says not_found for absent participants and rooms", async () => {
  await using sfu = startSfu({});
  const client = new RoomServiceClient(sfu.apiUrl, sfu.key, sfu.secret);
  for (
    const ask of [
      () => client.getParticipant("call", "nobody"),
      () => client.removeParticipant("call", "nobody"),
      () => client.deleteRoom("call"),
    ]
  ) {
    const error = await assertRejects(ask, TwirpError);
    assertEquals([error.status, error.code], [404, "not_found"]);
  }
});

Deno.test("startSfu() writes 64-bit numbers as text and names in snake_case", async () => {
  await using sfu = startSfu({});
  const { text } = await post(sfu, "CreateRoom", `{"name":"call"}`, { roomCreate: true });
  const room = JSON.parse(text);
  assertEquals([typeof room.creation_time, room.empty_timeout], ["string", 300]);
});

Deno.test("startSfu() refuses by grant, token, route and body", async () => {
  await using sfu = startSfu({});
  const cases = [
    { method: "CreateRoom", body: `{"name":"a"}`, grant: { roomList: true }, status: 401 },
    { method: "CreateRoom", body: `{"name":"a"}`, status: 401 },
    { method: "CreateRoom", body: `{"name":""}`, grant: { roomCreate: true }, status: 400 },
    { method: "CreateRoom", body: `{"name":`, grant: { roomCreate: true }, status: 400 },
    { method: "Unheard", body: `{}`, grant: { roomCreate: true }, status: 404 },
    {
      method: "ListParticipants",
      body: `{"room":"a"}`,
      grant: { roomAdmin: true, room: "b" },
      status: 401,
    },
  ];
  for (const { method, body, grant, status } of cases) {
    const answer = await post(sfu, method, body, grant);
    assertEquals(answer.status, status);
    assertEquals(typeof JSON.parse(answer.text).code, "string");
  }
  const strangers = Object.assign(Object.create(sfu), { secret: "another-secret" }) as Sfu;
  const answer = await post(strangers, "CreateRoom", `{"name":"a"}`, { roomCreate: true });
  assertEquals(answer.status, 401);
  assertStringIncludes(answer.text, "invalid token");
  assertEquals(sfu.rooms, []);
});

Deno.test("startSfu() answers below its prefix only, over TLS, after a delay", async () => {
  const ca = await createTestCa();
  await using sfu = startSfu({
    tls: await ca.issue(["127.0.0.1"]),
    prefix: "/livekit/sfu",
    delayMs: 1,
  });
  assertEquals(sfu.liveKitUrl, `wss://127.0.0.1:${sfu.port}/livekit/sfu`);
  using client = Deno.createHttpClient({ caCerts: [ca.pem] });
  const token = new AccessToken(sfu.key, sfu.secret);
  token.addGrant({ roomList: true });
  const headers = {
    "content-type": "application/json",
    authorization: `Bearer ${await token.toJwt()}`,
  };
  const ask = async (base: string) => {
    const url = `${base}/twirp/livekit.RoomService/ListRooms`;
    const response = await fetch(url, { method: "POST", headers, body: "{}", client });
    return [response.status, await response.text()];
  };
  assertEquals(await ask(sfu.apiUrl), [200, `{"rooms":[]}`]);
  assertEquals(await ask(sfu.url), [404, "Not here"]);
  sfu.settings.respond = () => new Response("<html>", { status: 502 });
  assertEquals(await ask(sfu.apiUrl), [502, "<html>"]);
});

Deno.test("startSfu() ends connections while it is down, and remembers nothing after a crash", async () => {
  await using sfu = startSfu({});
  const ask = () => post(sfu, "ListRooms", "{}", { roomList: true });
  sfu.join("call", "alice");
  assertStringIncludes((await ask()).text, '"num_participants":1');
  sfu.isDown = true;
  sfu.forgetRooms();
  await assertRejects(ask, TypeError);
  assertEquals(sfu.requests.length, 1);
  sfu.isDown = false;
  assertEquals((await ask()).text, '{"rooms":[]}');
});

Deno.test("startSfu() can stay silent, and be ignorant of a method", async () => {
  await using sfu = startSfu({ isHanging: true, unknownMethods: ["ListParticipants"] });
  const grant = { roomAdmin: true, room: "call" };
  const silent = post(sfu, "GetParticipant", `{"room":"call"}`, grant).then(
    ({ status }) => status,
    () => "closed",
  );
  await sfu.received(1);
  sfu.settings.isHanging = false;
  assertEquals((await post(sfu, "GetParticipant", `{"room":"call"}`, grant)).status, 404);
  assertEquals(await post(sfu, "ListParticipants", `{"room":"call"}`, grant), {
    status: 404,
    text: "404 page not found",
  });
  assertEquals(await Promise.race([silent, Promise.resolve("waiting")]), "waiting");
  await sfu.close();
  assertEquals(await silent, "closed");
});

Deno.test("sendWebhook() signs as LiveKit does, unless told otherwise", async () => {
  await using sfu = startSfu({});
  const receiver = new WebhookReceiver(sfu.key, sfu.secret);
  const received: unknown[] = [];
  await using service = startHttpServer({
    async handler(request) {
      const authorization = request.headers.get("authorization") ?? "";
      try {
        const { event, room, participant } = await receiver.receive(
          await request.text(),
          authorization,
        );
        received.push([event, room?.name, participant?.identity, participant?.disconnectReason]);
        return new Response();
      } catch {
        return new Response(null, { status: 401 });
      }
    },
  });
  const left = {
    event: "participant_left",
    room: "call",
    participant: { identity: "alice", sid: "PA_1", disconnectReason: "CLIENT_INITIATED" },
  };
  const send = (event: WebhookEvent, changes?: WebhookChanges) =>
    sfu.sendWebhook(`${service.url}/sfu_webhook`, event, changes);
  assertEquals(await send(left, { times: 2 }), [200, 200]);
  assertEquals(await send(left, { numericEnums: true }), [200]);
  assertEquals(await send({ event: "egress_started" }), [200]);
  assertEquals(received, [
    ["participant_left", "call", "alice", 1],
    ["participant_left", "call", "alice", 1],
    ["participant_left", "call", "alice", 1],
    ["egress_started", undefined, undefined, undefined],
  ]);
  for (
    const changes of [
      { secret: "x".repeat(32) },
      { key: "other" },
      { tamper: (body: string) => `${body} ` },
      { claims: { sha256: undefined } },
    ]
  ) assertEquals(await send(left, changes), [401]);
});

Deno.test("joinWithToken() lets in whom the token names, attributes and all, and nobody else", async () => {
  await using sfu = startSfu({});
  const client = new RoomServiceClient(sfu.apiUrl, sfu.key, sfu.secret);
  const token = (options: AccessTokenOptions, grant: VideoGrant) => {
    const token = new AccessToken(sfu.key, sfu.secret, options);
    token.addGrant(grant);
    return token.toJwt();
  };
  const attributes = { way: "token" };
  const grant = { room: "call", roomJoin: true };
  const { room, identity, sid } = await sfu.joinWithToken(
    await token({ identity: "alice", attributes }, grant),
  );
  assertEquals([room, identity, sfu.identities("call")], ["call", "alice", ["alice"]]);
  const participant = await client.getParticipant("call", "alice");
  assertEquals([participant.sid, participant.attributes], [sid, attributes]);
  const [listed] = await client.listParticipants("call");
  assertEquals(listed?.attributes, attributes);
  for (
    const joinToken of [
      await token({ identity: "mallory" }, { roomList: true }),
      (await token({ identity: "mallory" }, grant)).replace(/.$/, ""),
    ]
  ) await assertRejects(() => sfu.joinWithToken(joinToken), Error);
  assertEquals(sfu.identities("call"), ["alice"]);
});
