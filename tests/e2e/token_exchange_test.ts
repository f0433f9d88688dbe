import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { TokenVerifier } from "livekit-server-sdk";
import type { RunningService } from "../support/service.ts";
import { hashNames } from "./support/derived_names.ts";
import {
  type Call,
  getToken,
  getTokenBody,
  LEGACY_SLOT,
  memberId,
  post,
  sfuGet,
  sfuGetBody,
} from "./support/exchange.ts";
import { joinCall } from "./support/participant.ts";
import { listRooms, validateJoin } from "./support/sfu_view.ts";
import { startWorld, type World } from "./support/world.ts";

// From a user's homeserver to sound on the SFU: real Synapses, a real LiveKit, real WebRTC participants.

let world: World;
let service: RunningService;

Deno.test.beforeAll(async () => {
  world = await startWorld();
  service = await world.startService();
});

Deno.test.afterAll(async () => {
  await service.stop();
  await world[Symbol.asyncDispose]();
});

function roomOf({ roomId, slotId }: Call): string {
  return hashNames(roomId, slotId);
}

Deno.test("/get_token: the first full-access user creates the room and is heard by the second", async () => {
  const call = { roomId: "!first-by-get-token", slotId: "m.call#0" };
  const { client } = world.near;
  const [alice, bob] = [await client.register("alice"), await client.register("bob")];
  assert(!(await listRooms(world.sfu)).includes(roomOf(call)));

  await using speaker = await joinCall(await getToken(service.url, client, alice, call));
  assert((await listRooms(world.sfu)).includes(roomOf(call)));
  await using listener = await joinCall(await getToken(service.url, client, bob, call));
  await speaker.publishTone();

  const identity = hashNames(alice.userId, alice.deviceId, memberId(alice));
  assertEquals(speaker.identity, identity);
  assertEquals(await listener.hear(), identity);
});

Deno.test("/sfu/get: the first full-access user creates the room and is heard by the second", async () => {
  const call = { roomId: "!first-by-sfu-get", slotId: LEGACY_SLOT };
  const { client } = world.near;
  const [carol, dave] = [await client.register("carol"), await client.register("dave")];
  assert(!(await listRooms(world.sfu)).includes(roomOf(call)));

  await using speaker = await joinCall(await sfuGet(service.url, client, carol, call));
  assert((await listRooms(world.sfu)).includes(roomOf(call)));
  await using listener = await joinCall(await sfuGet(service.url, client, dave, call));
  await speaker.publishTone();

  assertEquals(await listener.hear(), `${carol.userId}:${carol.deviceId}`);
});

Deno.test("/sfu/get and /get_token lead old and new clients into one call", async () => {
  const call = { roomId: "!old-and-new", slotId: LEGACY_SLOT };
  const { client } = world.near;
  const [erin, frank] = [await client.register("erin"), await client.register("frank")];

  await using old = await joinCall(await sfuGet(service.url, client, erin, call));
  await using modern = await joinCall(await getToken(service.url, client, frank, call));
  await Promise.all([old.publishTone(), modern.publishTone()]);

  assertEquals(await modern.hear(), old.identity);
  assertEquals(await old.hear(), modern.identity);
});

for (const [path, exchange] of [["/get_token", getToken], ["/sfu/get", sfuGet]] as const) {
  Deno.test(`${path}: a user of another server creates no room but joins an existing one`, async () => {
    const call = { roomId: `!restricted${path}`, slotId: LEGACY_SLOT };
    const name = path.replaceAll(/\W/g, "-");
    const guest = await world.far.client.register(`guest${name}`);
    const host = await world.near.client.register(`host${name}`);

    const early = await exchange(service.url, world.far.client, guest, call);
    assert(!(await listRooms(world.sfu)).includes(roomOf(call)));
    const refusal = await validateJoin(early);
    assertEquals(refusal.status, 404);
    assertStringIncludes(await refusal.text(), "room does not exist");
    await assertRejects(() => joinCall(early), Error);
    assert(!(await listRooms(world.sfu)).includes(roomOf(call)));

    await using local = await joinCall(
      await exchange(service.url, world.near.client, host, call),
    );
    await using remote = await joinCall(
      await exchange(service.url, world.far.client, guest, call),
    );
    await Promise.all([local.publishTone(), remote.publishTone()]);
    assertEquals(await remote.hear(), local.identity);
    assertEquals(await local.hear(), remote.identity);
  });
}

Deno.test("/get_token: the join token has the claims of the contract and LiveKit's own verifier takes it", async () => {
  const call = { roomId: "!claims", slotId: "m.call#0" };
  const grace = await world.near.client.register("grace");
  const before = Math.floor(Date.now() / 1000);
  const { url, jwt } = await getToken(service.url, world.near.client, grace, call);
  const after = Math.ceil(Date.now() / 1000);

  assertEquals(url, world.sfu.url);
  const claims = await new TokenVerifier(world.sfu.apiKey, world.sfu.apiSecret).verify(jwt);
  assertEquals(claims.iss, world.sfu.apiKey);
  assertEquals(claims.sub, hashNames(grace.userId, grace.deviceId, memberId(grace)));
  const { nbf, exp } = claims;
  assert(nbf !== undefined && nbf >= before && nbf <= after);
  assertEquals(exp, nbf + 3600);
  // A grant that is false may be left out: it means the same to LiveKit.
  const grants = Object.entries(claims.video ?? {}).filter(([, value]) => value !== false);
  assertEquals(Object.fromEntries(grants), {
    roomJoin: true,
    room: roomOf(call),
    canPublish: true,
    canSubscribe: true,
  });
});

Deno.test("the log of an exchange holds no token, secret or user, even at debug level", async () => {
  await using talkative = await world.startService({ LIVEKIT_LOG_LEVEL: "debug" });
  const call = { roomId: "!secrets-in-the-log", slotId: LEGACY_SLOT };
  const { client } = world.near;
  const olivia = await client.register("olivia");
  const token = await client.requestOpenIdToken(olivia);
  const replies = [
    await post(talkative.url, "/get_token", getTokenBody(olivia, token, call)),
    await post(talkative.url, "/sfu/get", sfuGetBody(olivia, token, call)),
  ];
  assertEquals(await talkative.stop(), 0);
  const forbidden = [
    token.access_token,
    world.sfu.apiSecret,
    olivia.userId,
    olivia.deviceId,
    call.roomId,
    ...replies.map(({ body }) => body.jwt),
  ];
  for (const text of forbidden) assert(!talkative.output.includes(text), talkative.output);
});

Deno.test("an OpenID token that the homeserver does not know is refused", async () => {
  const call = { roomId: "!unknown-token", slotId: LEGACY_SLOT };
  const { client, serverName } = world.near;
  const heidi = await client.register("heidi");
  const unknown = {
    access_token: "never-issued",
    token_type: "Bearer",
    matrix_server_name: serverName,
    expires_in: 3600,
  };
  await assertUnauthorized("/get_token", getTokenBody(heidi, unknown, call));
  await assertUnauthorized("/sfu/get", sfuGetBody(heidi, unknown, call));
  assert(!(await listRooms(world.sfu)).includes(roomOf(call)));
});

Deno.test("an OpenID token of one server is refused under another server's name", async () => {
  const call = { roomId: "!foreign-token", slotId: LEGACY_SLOT };
  const mallory = await world.far.client.register("mallory");
  const token = {
    ...await world.far.client.requestOpenIdToken(mallory),
    matrix_server_name: world.near.serverName,
  };
  await assertUnauthorized("/get_token", getTokenBody(mallory, token, call));
  await assertUnauthorized("/sfu/get", sfuGetBody(mallory, token, call));
  assert(!(await listRooms(world.sfu)).includes(roomOf(call)));
});

Deno.test("a homeserver that vouches for another server's user is not believed", async () => {
  // The far server answers in the near one's name, as if it had got hold of it.
  await using misled = await world.startService({
    MATRIXRTC_FEDERATION_URL_OVERRIDES: `${world.near.serverName}=https://${world.far.serverName}`,
  });
  const call = { roomId: "!foreign-sub", slotId: LEGACY_SLOT };
  const trudy = await world.far.client.register("trudy");
  const token = {
    ...await world.far.client.requestOpenIdToken(trudy),
    matrix_server_name: world.near.serverName,
  };
  await assertUnauthorized("/get_token", getTokenBody(trudy, token, call), misled);
  await assertUnauthorized("/sfu/get", sfuGetBody(trudy, token, call), misled);
  assert(!(await listRooms(world.sfu)).includes(roomOf(call)));
});

Deno.test("/get_token: a user who claims to be somebody else is refused", async () => {
  const call = { roomId: "!claimed-user", slotId: LEGACY_SLOT };
  const { client } = world.near;
  const [ivan, judy] = [await client.register("ivan"), await client.register("judy")];
  const body = getTokenBody(judy, await client.requestOpenIdToken(ivan), call);
  await assertUnauthorized("/get_token", body);
  assert(!(await listRooms(world.sfu)).includes(roomOf(call)));
});

async function assertUnauthorized(path: string, request: unknown, at = service): Promise<void> {
  const { status, body } = await post(at.url, path, request);
  assertEquals([status, body.errcode], [401, "M_UNAUTHORIZED"]);
}
