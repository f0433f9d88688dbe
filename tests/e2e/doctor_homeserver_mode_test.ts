import { Secret } from "../../lib/secret.ts";
import { assertFound, diagnose } from "./support/doctor_run.ts";
import {
  type HomeserverModeWorld,
  startHomeserverModeWorld,
} from "./support/homeserver_mode_world.ts";
import { createCallRoom } from "./support/membership.ts";

// What the doctor says of homeserver mode, between a real Synapse and a service that runs.

let world: HomeserverModeWorld;

Deno.test.beforeAll(async () => {
  world = await startHomeserverModeWorld({ isDirect: true });
});

Deno.test.afterAll(async () => await world[Symbol.asyncDispose]());

const CHECKS = ["I1", "I2", "I3", "I4"];

Deno.test("homeserver mode passes when all is well", async () => {
  const { synapse: { client }, serviceEnv, startService } = world.a;
  const user = await client.register("doctor");
  const room = await createCallRoom(client, user);
  await using _service = await startService();
  const found = await diagnose(serviceEnv(), {
    only: CHECKS,
    userToken: new Secret(user.accessToken),
    room,
  });
  for (const id of CHECKS) assertFound(found, id, "PASS");
});

Deno.test("a fault is found: the SFU's URL differs by a slash, or the user is not in the room", async () => {
  const { synapse: { client }, serviceEnv, startService } = world.a;
  const user = await client.register("doctor-outside");
  const room = await createCallRoom(client, await client.register("doctor-inside"));
  await using _service = await startService();
  const userToken = new Secret(user.accessToken);
  const outside = await diagnose(serviceEnv(), { only: ["I3"], userToken, room });
  assertFound(outside, "I3", "FAIL", { evidence: /403/, remedy: /not joined in the room/ });
  const url = `${serviceEnv().LIVEKIT_URL}/`;
  const slash = await diagnose(serviceEnv({ LIVEKIT_URL: url }), {
    only: ["I3"],
    userToken,
    room,
  });
  assertFound(slash, "I3", "FAIL", { evidence: /400/, remedy: /slash at the end/ });
});

Deno.test("a fault is found: the registration lacks the scope, or has another hs_token", async () => {
  const { registration, serviceEnv, startService, token } = world.a;
  await using _service = await startService();
  const dir = await Deno.makeTempDir({ prefix: "matrixrtc-auth-registration-" });
  try {
    const path = `${dir}/registration.yaml`;
    const other = registration
      .replace(token("hs_token"), "hs-token-of-another-registration-file")
      .replace("io.element.msc4502.scopes", "scopes");
    await Deno.writeTextFile(path, other, { mode: 0o600 });
    const env = serviceEnv({ LIVEKIT_AS_REGISTRATION_FILE: path });
    const found = await diagnose(env, { only: ["I1", "I4"] });
    assertFound(found, "I1", "WARN", {
      evidence: /msc4502\.scopes/,
      remedy: /config registration/,
    });
    assertFound(found, "I4", "FAIL", { evidence: /401/, remedy: /same registration file/ });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("a fault is found: the homeserver does not find the service", async () => {
  const { synapse: { client }, serviceEnv } = world.a;
  const user = await client.register("doctor-without-service");
  const room = await createCallRoom(client, user);
  const found = await diagnose(serviceEnv(), {
    only: ["I3", "I4"],
    userToken: new Secret(user.accessToken),
    room,
  });
  assertFound(found, "I3", "FAIL", { evidence: /50[02]/, remedy: /proxy_url/ });
  assertFound(found, "I4", "SKIP", { evidence: /no service listens/ });
});
