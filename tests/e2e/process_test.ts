import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { TokenVerifier } from "livekit-server-sdk";
import { startGate } from "./support/gate.ts";
import { type Call, getTokenBody, LEGACY_SLOT, post } from "./support/exchange.ts";
import { validateJoin } from "./support/sfu_view.ts";
import { startWorld, type World } from "./support/world.ts";

// The service as a process among real servers: how it ends, how it listens, how it stands a storm.

let world: World;

Deno.test.beforeAll(async () => {
  world = await startWorld();
});

Deno.test.afterAll(async () => await world[Symbol.asyncDispose]());

/** Puts a closed gate before the near homeserver, and says how the service comes to use it. */
function gateBeforeHomeserver() {
  const [host, port] = world.near.serverName.split(":");
  const gate = startGate(Number(port));
  return {
    gate,
    env: {
      MATRIXRTC_FEDERATION_URL_OVERRIDES: `${world.near.serverName}=https://${host}:${gate.port}`,
    },
  };
}

Deno.test("SIGTERM while a request is in work: it is answered, then the service ends with 0", async () => {
  const { gate, env } = gateBeforeHomeserver();
  await using _gate = gate;
  await using service = await world.startService(env);
  const body = await prepare("in-work", { roomId: "!in-work", slotId: LEGACY_SLOT });

  async function stopInBetween(): Promise<number> {
    await gate.reached;
    const stopped = service.stop();
    await service.waitForLog(/received SIGTERM/);
    gate.open();
    return await stopped;
  }
  const [{ status, body: details }, exitCode] = await Promise.all([
    post(service.url, "/get_token", body),
    stopInBetween(),
  ]);
  assertEquals(status, 200, JSON.stringify(details));
  assertEquals((await validateJoin(details)).status, 200);
  assertEquals(exitCode, 0);
});

Deno.test("a unix socket serves the exchange like a port", async () => {
  const dir = await Deno.makeTempDir({ prefix: "matrixrtc-auth-socket-" });
  const path = join(dir, "service.sock");
  try {
    await using service = await world.startService({ LIVEKIT_JWT_BIND: `unix:${path}` });
    const body = await prepare("socket", { roomId: "!socket", slotId: LEGACY_SLOT });
    using socket = Deno.createHttpClient({ proxy: { transport: "unix", path } });
    const { status, body: details } = await post(
      "http://localhost",
      "/get_token",
      body,
      socket,
    );
    assertEquals(status, 200, JSON.stringify(details));
    assertEquals((await validateJoin(details)).status, 200);
    assertEquals(await service.stop(), 0);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("users of one homeserver who come one after the other cost one connection to it", async () => {
  const { gate, env } = gateBeforeHomeserver();
  await using _gate = gate;
  await using service = await world.startService(env);
  gate.open();
  for (let i = 0; i < 10; i++) {
    const body = await prepare(`row-${i}`, { roomId: `!row-${i}`, slotId: LEGACY_SLOT });
    const { status } = await post(service.url, "/get_token", body);
    assertEquals(status, 200);
  }
  assertEquals(gate.connections, 1);
});

Deno.test("fifty users at once get into one call, a room created once for many", async () => {
  const USERS = 50;
  await using service = await world.startService();
  const call = { roomId: "!storm", slotId: LEGACY_SLOT };
  const bodies: unknown[] = [];
  for (let i = 0; i < USERS; i++) bodies.push(await prepare(`storm-${i}`, call));
  const before = countCreateRoom();

  const answers = await Promise.all(bodies.map((body) => post(service.url, "/get_token", body)));
  assertEquals(answers.map(({ status }) => status), Array(USERS).fill(200));
  const verifier = new TokenVerifier(world.sfu.apiKey, world.sfu.apiSecret);
  const identities = await Promise.all(answers.map(async ({ body }) => {
    assertEquals((await validateJoin(body)).status, 200);
    return (await verifier.verify(body.jwt)).sub;
  }));
  assertEquals(new Set(identities).size, USERS);
  const calls = countCreateRoom() - before;
  console.log(`${USERS} users, ${calls} CreateRoom calls`);
  assert(calls >= 1 && calls <= USERS / 10, `${calls} CreateRoom calls`);
});

/** Registers a user and makes the request of its first join. */
async function prepare(localpart: string, call: Call) {
  const { client } = world.near;
  const user = await client.register(localpart);
  return getTokenBody(user, await client.requestOpenIdToken(user), call);
}

/** How often the SFU was told to create a room. */
function countCreateRoom(): number {
  return world.sfu.lines.filter((line) => line.includes("CreateRoom")).length;
}
