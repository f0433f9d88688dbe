import { assert, assertEquals } from "@std/assert";
import { AccessToken, RoomServiceClient } from "livekit-server-sdk";
import { createTestCa } from "../support/test_ca.ts";
import { startLiveKit } from "./support/livekit.ts";
import { joinCall } from "./support/participant.ts";
import { startSynapse } from "./support/synapse.ts";

// What the other end-to-end tests build on: the real servers themselves, without the service between.

Deno.test("a Synapse on loopback gives its users OpenID tokens", async () => {
  await using synapse = await startSynapse({ ca: await createTestCa(), host: "localhost" });
  const user = await synapse.client.register("alice");
  assertEquals(user.userId, `@alice:${synapse.serverName}`);
  const token = await synapse.client.requestOpenIdToken(user);
  assertEquals(token.matrix_server_name, synapse.serverName);
  assert(token.access_token.length > 0);
});

Deno.test("a LiveKit on loopback carries sound between two participants", async () => {
  await using sfu = await startLiveKit();
  async function details(identity: string) {
    const token = new AccessToken(sfu.apiKey, sfu.apiSecret, { identity });
    token.addGrant({ roomJoin: true, room: "smoke" });
    return { url: sfu.url, jwt: await token.toJwt() };
  }
  await new RoomServiceClient(sfu.httpUrl, sfu.apiKey, sfu.apiSecret).createRoom({ name: "smoke" });
  await using speaker = await joinCall(await details("speaker"));
  await using listener = await joinCall(await details("listener"));
  await speaker.publishTone();
  assertEquals(await listener.hear(), "speaker");
});
