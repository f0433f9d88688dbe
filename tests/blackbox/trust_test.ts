import { assertEquals, assertStringIncludes } from "@std/assert";
import { hashedIdentity } from "../../lib/signing/names.ts";
import { startHomeserver } from "../fakes/homeserver.ts";
import { startSfu } from "../fakes/sfu.ts";
import { createTestCa } from "../support/test_ca.ts";
import { start, test, testSecrets } from "./support/watched.ts";
import { type Answer, ask, BOB, getTokenBody, openIdToken, startWorld } from "./support/world.ts";

const world = await startWorld();
Deno.test.afterAll(async () => await world[Symbol.asyncDispose]());
const { MATRIXRTC_CA_FILE: _, ...ENV } = world.env;

/** Alice asks a service that was started with more variables. */
async function joinWith(env: Record<string, string>): Promise<{ answer: Answer; line: string }> {
  await using service = await start({ env: { ...ENV, ...env } });
  const answer = await ask(service, "POST", "/get_token", getTokenBody(world));
  const id = answer.headers.get("x-request-id");
  const [line] = await service.waitForLog(new RegExp(`^.* request=${id}$`, "m"));
  return { answer, line };
}

test("a homeserver with a certificate of an unknown authority is 401, the log says TLS", async () => {
  const { answer, line } = await joinWith({});
  assertEquals([answer.status, answer.json.errcode], [401, "M_UNAUTHORIZED"]);
  assertStringIncludes(line, "hop=tls");
});

test("MATRIXRTC_CA_FILE, SSL_CERT_FILE and SSL_CERT_DIR make an authority known", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.copyFile(world.caFile, `${folder}/ca.pem`);
    await Deno.writeTextFile(`${folder}/README`, "no certificate");
    for (
      const env of [
        { MATRIXRTC_CA_FILE: world.caFile },
        { SSL_CERT_FILE: world.caFile },
        { SSL_CERT_DIR: folder },
        { SSL_CERT_DIR: `/nowhere:${folder}` },
      ]
    ) {
      assertEquals((await joinWith(env)).answer.status, 200, JSON.stringify(env));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("an authority vouches for the names in its certificates only, and not for ever", async () => {
  const ca = await createTestCa();
  const caFile = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(caFile, ca.pem);
    const expired = { notAfter: new Date(Date.now() - 1_000) };
    for (
      const tls of [await ca.issue(["other.example"]), await ca.issue(["localhost"], expired)]
    ) {
      await using homeserver = startHomeserver({ users: {}, tls });
      const { serverName } = homeserver;
      await using service = await start({
        env: { ...ENV, MATRIXRTC_CA_FILE: caFile, LIVEKIT_FULL_ACCESS_HOMESERVERS: serverName },
      });
      const token = openIdToken("t", serverName);
      const body = { ...getTokenBody(world), openid_token: token };
      assertEquals((await ask(service, "POST", "/get_token", body)).status, 401);
      await service.waitForLog(/hop=tls/);
      assertEquals(homeserver.requests.length, 0);
    }
  } finally {
    await Deno.remove(caFile);
  }
});

test("LIVEKIT_INSECURE_SKIP_VERIFY_TLS takes any certificate, in its one spelling only", async () => {
  const value = "YES_I_KNOW_WHAT_I_AM_DOING";
  assertEquals((await joinWith({ LIVEKIT_INSECURE_SKIP_VERIFY_TLS: value })).answer.status, 200);
  for (const other of ["true", value.toLowerCase()]) {
    const { answer } = await joinWith({ LIVEKIT_INSECURE_SKIP_VERIFY_TLS: other });
    assertEquals(answer.status, 401);
  }
});

test("an SFU behind wss is verified like a homeserver", async () => {
  const ca = await createTestCa();
  const caFile = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(caFile, ca.pem + await Deno.readTextFile(world.caFile));
    await using sfu = startSfu({ tls: await ca.issue(["localhost"]) });
    const url = `wss://localhost:${sfu.port}`;
    const good = await joinWith({ LIVEKIT_URL: url, MATRIXRTC_CA_FILE: caFile });
    assertEquals([good.answer.status, sfu.count("CreateRoom")], [200, 1]);
    const bad = await joinWith({ LIVEKIT_URL: url, MATRIXRTC_CA_FILE: world.caFile });
    assertEquals([bad.answer.status, sfu.count("CreateRoom")], [500, 1]);
    assertStringIncludes(bad.line, "hop=tls");
  } finally {
    await Deno.remove(caFile);
  }
});

for (
  const { name, env } of [
    { name: "not allowed", env: { MATRIXRTC_HOMESERVERS_ALLOWED: "*.example.org, other.example" } },
    { name: "blocked", env: { MATRIXRTC_HOMESERVERS_BLOCKED: "LOCALHOST" } },
  ]
) {
  test(`a homeserver that is ${name} is 403 M_FORBIDDEN and not asked`, async () => {
    const before = world.own.requests.length;
    const { answer } = await joinWith({ MATRIXRTC_CA_FILE: world.caFile, ...env });
    assertEquals([answer.status, answer.json], [403, {
      errcode: "M_FORBIDDEN",
      error: "Users of this homeserver are not admitted",
    }]);
    assertEquals(answer.headers.get("access-control-allow-origin"), "*");
    assertEquals(world.own.requests.length, before);
  });
}

test("a homeserver that is allowed lets its users in, another does not", async () => {
  await using service = await start({
    env: { ...world.env, MATRIXRTC_HOMESERVERS_ALLOWED: world.own.serverName },
  });
  assertEquals((await ask(service, "POST", "/get_token", getTokenBody(world))).status, 200);
  const token = openIdToken(BOB, world.other.serverName);
  const body = { ...getTokenBody(world), openid_token: token };
  assertEquals((await ask(service, "POST", "/get_token", body)).status, 403);
});

test("LIVEKIT_FULL_ACCESS_HOMESERVERS=* lets everybody create rooms", async () => {
  await using service = await start({
    env: { ...world.env, LIVEKIT_FULL_ACCESS_HOMESERVERS: "*" },
  });
  world.sfu.calls.length = 0;
  const body = {
    ...getTokenBody(world),
    openid_token: openIdToken(BOB, world.other.serverName),
    member: { id: "m", claimed_user_id: world.bob, claimed_device_id: "D" },
  };
  const answer = await ask(service, "POST", "/get_token", body);
  assertEquals([answer.status, world.sfu.count("CreateRoom")], [200, 1]);
  const payload = JSON.parse(atob((answer.json.jwt as string).split(".")[1]!));
  assertEquals(payload.sub, hashedIdentity(world.bob, "D", "m"));
});

testSecrets();
