import { assertEquals, assertStringIncludes } from "@std/assert";
import { getToken, getTokenBody, LEGACY_SLOT, post, sfuGetBody } from "./support/exchange.ts";
import { validateJoin } from "./support/sfu_view.ts";
import { startWorld, type World } from "./support/world.ts";

// What users and operators see while a real server behind the service is down or refuses us.

let world: World;

Deno.test.beforeAll(async () => {
  world = await startWorld();
});

Deno.test.afterAll(async () => await world[Symbol.asyncDispose]());

Deno.test("a wrong SFU secret is 500 for the user and named in the log", async () => {
  await using service = await world.startService({
    LIVEKIT_SECRET: "not-the-secret-of-the-sfu-0123456789abcdef",
  });
  const { client } = world.near;
  const user = await client.register("wrong-secret");
  const token = await client.requestOpenIdToken(user);
  const call = { roomId: "!wrong-secret", slotId: LEGACY_SLOT };

  const { status, body } = await post(service.url, "/get_token", getTokenBody(user, token, call));
  assertEquals([status, body.errcode], [500, "M_UNKNOWN"]);
  assertStringIncludes(body.error, "Unable to create room on SFU");
  await service.waitForLog(/CreateRoom.*\b401\b|\b401\b.*CreateRoom/);
});

Deno.test("an SFU that is down is 500 for full-access users, and its return is noticed at once", async () => {
  await using service = await world.startService();
  const { client } = world.near;
  const user = await client.register("sfu-down");
  const token = await client.requestOpenIdToken(user);
  const call = { roomId: "!sfu-down", slotId: LEGACY_SLOT };
  await getToken(service.url, client, user, { ...call, roomId: "!before-the-outage" });

  await world.sfu.crash();
  try {
    for (
      const [path, makeBody] of [["/get_token", getTokenBody], ["/sfu/get", sfuGetBody]] as const
    ) {
      const { status, body } = await post(service.url, path, makeBody(user, token, call));
      assertEquals([status, body.errcode], [500, "M_UNKNOWN"]);
      assertStringIncludes(body.error, "Unable to create room on SFU");
    }
    await service.waitForLog(/CreateRoom/);
    assertEquals(await askReadiness(service.url), 503);
  } finally {
    await world.sfu.restart();
  }
  const details = await getToken(service.url, client, user, call);
  assertEquals((await validateJoin(details)).status, 200);
});

Deno.test("a homeserver that is down is 401 for its users, and the log names the TCP hop", async () => {
  await using service = await world.startService();
  const call = { roomId: "!synapse-down", slotId: LEGACY_SLOT };
  const { client } = world.near;
  const [user, guest] = [
    await client.register("synapse-down"),
    await world.far.client.register("up"),
  ];
  const token = await client.requestOpenIdToken(user);

  await world.near.stop();
  try {
    for (
      const [path, makeBody] of [["/get_token", getTokenBody], ["/sfu/get", sfuGetBody]] as const
    ) {
      const { status, body } = await post(service.url, path, makeBody(user, token, call));
      assertEquals([status, body.errcode], [401, "M_UNAUTHORIZED"]);
    }
    await service.waitForLog(/cannot connect to 127\.0\.0\.1:\d+ \(ECONNREFUSED\)/);
    // Nobody else's users notice.
    await getToken(service.url, world.far.client, guest, call);
  } finally {
    await world.near.restart();
  }
});

Deno.test("/readyz is 200 while the SFU serves", async () => {
  await using service = await world.startService();
  assertEquals(await askReadiness(service.url), 200);
});

async function askReadiness(serviceUrl: string): Promise<number> {
  const response = await fetch(new URL("/readyz", serviceUrl));
  await response.body?.cancel();
  return response.status;
}
