import { assert, assertEquals } from "@std/assert";
import { startService } from "../support/service.ts";
import { hashNames } from "./support/derived_names.ts";
import {
  type Call,
  getToken,
  getTokenBody,
  LEGACY_SLOT,
  post,
  sfuGet,
} from "./support/exchange.ts";
import { listRooms, validateJoin } from "./support/sfu_view.ts";
import type { Synapse } from "./support/synapse.ts";
import { startWorld, type World } from "./support/world.ts";

// What the operator's settings come to between real servers.

let world: World;

Deno.test.beforeAll(async () => {
  world = await startWorld();
});

Deno.test.afterAll(async () => await world[Symbol.asyncDispose]());

Deno.test("LIVEKIT_INTERNAL_URL is where rooms are created, LIVEKIT_URL is what clients get", async () => {
  const publicUrl = "wss://sfu.example.org/livekit/";
  await using service = await world.startService({
    LIVEKIT_URL: publicUrl,
    LIVEKIT_INTERNAL_URL: world.sfu.httpUrl,
  });
  const { client } = world.near;
  const user = await client.register("internal-url");
  const call = { roomId: "!internal-url", slotId: LEGACY_SLOT };
  const { url, jwt } = await getToken(service.url, client, user, call);
  assertEquals(url, publicUrl);
  assertEquals((await validateJoin({ url: world.sfu.url, jwt })).status, 200);
});

Deno.test("the first releases' variables alone: users get tokens, rooms are the SFU's affair", async () => {
  await using service = await startService({
    env: {
      LIVEKIT_URL: world.sfu.url,
      LIVEKIT_KEY: world.sfu.apiKey,
      LIVEKIT_SECRET: world.sfu.apiSecret,
      LIVEKIT_INSECURE_SKIP_VERIFY_TLS: "YES_I_KNOW_WHAT_I_AM_DOING",
      // Not of the first releases, but the test must stay on loopback.
      LIVEKIT_JWT_BIND: "127.0.0.1:0",
      MATRIXRTC_ALLOW_NETWORKS: "127.0.0.0/8",
    },
  });
  await service.waitForLog(/LIVEKIT_FULL_ACCESS_HOMESERVERS/);
  const { client } = world.near;
  const user = await client.register("first-releases");
  const call = { roomId: "!first-releases", slotId: LEGACY_SLOT };
  const details = await sfuGet(service.url, client, user, call);
  assertEquals((await validateJoin(details)).status, 404);
  assert(!(await listRooms(world.sfu)).includes(hashNames(call.roomId, call.slotId)));
});

Deno.test("LIVEKIT_FULL_ACCESS_HOMESERVERS=* lets every server's first user create the room", async () => {
  await using service = await world.startService({
    LIVEKIT_FULL_ACCESS_HOMESERVERS: "*",
  });
  const { client } = world.far;
  const user = await client.register("everybody");
  const call = { roomId: "!everybody", slotId: LEGACY_SLOT };
  const details = await getToken(service.url, client, user, call);
  assertEquals((await validateJoin(details)).status, 200);
});

Deno.test("without MATRIXRTC_CA_FILE a private CA is 401, and the log names the cause", async () => {
  await using service = await world.startService({ MATRIXRTC_CA_FILE: "" });
  await assertRefused(service.url, world.near, "private-ca");
  // Deno before 2.8 learns of it only when the request is written, and says so in other words.
  await service.waitForLog(/no TLS with localhost|invalid peer certificate/);
});

Deno.test("without MATRIXRTC_ALLOW_NETWORKS another server on loopback is not even asked", async () => {
  await using service = await world.startService({ MATRIXRTC_ALLOW_NETWORKS: "" });
  await assertRefused(service.url, world.far, "loopback");
  // Full access is the operator's own word for the near one.
  const user = await world.near.client.register("near-on-loopback");
  const call = { roomId: "!near-on-loopback", slotId: LEGACY_SLOT };
  await getToken(service.url, world.near.client, user, call);
});

Deno.test("MATRIXRTC_HOMESERVERS_BLOCKED keeps a server's users out with valid tokens", async () => {
  await using service = await world.startService({
    MATRIXRTC_HOMESERVERS_BLOCKED: world.far.serverName,
  });
  const { client } = world.far;
  const user = await client.register("blocked");
  const call: Call = { roomId: "!blocked", slotId: LEGACY_SLOT };
  const body = getTokenBody(user, await client.requestOpenIdToken(user), call);
  const { status, body: refusal } = await post(service.url, "/get_token", body);
  assert(status === 401 || status === 403, `${status}`);
  assertEquals(Object.keys(refusal).includes("jwt"), false);
});

/** Presents a valid token of a homeserver that the service must not, or cannot, ask. */
async function assertRefused(url: string, homeserver: Synapse, localpart: string): Promise<void> {
  const { client } = homeserver;
  const asked = () => homeserver.lines.filter((line) => line.includes("openid/userinfo")).length;
  const before = asked();
  const user = await client.register(localpart);
  const call = { roomId: `!${localpart}`, slotId: LEGACY_SLOT };
  const body = getTokenBody(user, await client.requestOpenIdToken(user), call);
  const { status, body: refusal } = await post(url, "/get_token", body);
  assertEquals([status, refusal.errcode], [401, "M_UNAUTHORIZED"]);
  assertEquals(asked(), before);
}
