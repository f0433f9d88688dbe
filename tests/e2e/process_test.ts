import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { startGate } from "./support/gate.ts";
import { getTokenBody, LEGACY_SLOT, post } from "./support/exchange.ts";
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
  const { client } = world.near;
  const user = await client.register("in-work");
  const body = getTokenBody(user, await client.requestOpenIdToken(user), {
    roomId: "!in-work",
    slotId: LEGACY_SLOT,
  });

  const answer = post(service.url, "/get_token", body);
  await gate.reached;
  const draining = service.waitForLog(/drain|shutting down|stopping/i);
  const exitCode = service.stop();
  await draining;
  gate.open();

  const { status, body: details } = await answer;
  assertEquals(status, 200, JSON.stringify(details));
  assertEquals((await validateJoin(details)).status, 200);
  assertEquals(await exitCode, 0);
});

Deno.test("a unix socket serves the exchange like a port", async () => {
  const dir = await Deno.makeTempDir({ prefix: "matrixrtc-auth-socket-" });
  const path = join(dir, "service.sock");
  try {
    await using service = await world.startService({ LIVEKIT_JWT_BIND: `unix:${path}` });
    const { client } = world.near;
    const user = await client.register("socket");
    const body = getTokenBody(user, await client.requestOpenIdToken(user), {
      roomId: "!socket",
      slotId: LEGACY_SLOT,
    });
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

Deno.test("fifty users at once get into one call over few connections", async () => {
  const USERS = 50;
  const { gate, env } = gateBeforeHomeserver();
  await using _gate = gate;
  await using service = await world.startService(env);
  const { client } = world.near;
  const call = { roomId: "!storm", slotId: LEGACY_SLOT };
  const bodies = [];
  for (let i = 0; i < USERS; i++) {
    const user = await client.register(`storm-${i}`);
    bodies.push(getTokenBody(user, await client.requestOpenIdToken(user), call));
  }

  gate.open();
  const answers = await Promise.all(bodies.map((body) => post(service.url, "/get_token", body)));
  assertEquals(answers.map(({ status }) => status), Array(USERS).fill(200));
  const identities = new Set<string>();
  for (const { body } of answers) {
    assertEquals((await validateJoin(body)).status, 200);
    identities.add(
      JSON.parse(atob(body.jwt.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).sub,
    );
  }
  assertEquals(identities.size, USERS);
  const created = world.sfu.lines.filter((line) => line.includes("CreateRoom"));
  console.log(
    `${gate.connections} connections to the homeserver, ${created.length} CreateRoom calls`,
  );
});
