// Delegated leaves from outside: the service between stand-ins of homeserver and SFU.

import { assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { hashedIdentity, legacyIdentity, liveKitRoom } from "../../lib/signing/names.ts";
import { secret, start } from "./support/watched.ts";
import {
  addressOf,
  ALICE,
  ask,
  getTokenBody,
  readUntil,
  sfuGetBody,
  startWorld,
  type World,
} from "./support/world.ts";

const DELAY_MS = 60_000;
const ROOM = liveKitRoom("!room:example.com", "m.call#ROOM");

/** A world in which the own homeserver keeps delayed events. */
function startLeaveWorld(env: Record<string, string> = {}): Promise<World> {
  return startWorld(({ own }) => ({
    LIVEKIT_CS_API_URL_OVERRIDES: `${own.serverName}=${own.url}`,
    ...env,
  }));
}

function schedule({ own }: World, name: string): string {
  const delayId = secret(`delay-id-${name}-${crypto.randomUUID()}`);
  own.delayedEvents.schedule(delayId, DELAY_MS);
  return delayId;
}

function hashedOf({ alice }: World) {
  return hashedIdentity(alice, "DEVICE123", "memberABC");
}

function plainOf({ alice }: World) {
  return legacyIdentity(alice, "DEVICE123");
}

/** The SFU's webhook about a participant. */
async function tell(
  { sfu, service }: World,
  event: string,
  identity: string,
  more: { disconnectReason?: string } = {},
): Promise<void> {
  const statuses = await sfu.sendWebhook(`${service.url}/sfu_webhook`, {
    event,
    room: ROOM,
    participant: { identity, sid: "PA_1", ...more },
  });
  assertEquals(statuses, [200]);
}

const ENTRANCES = [
  {
    name: "POST /get_token",
    path: "/get_token",
    body: getTokenBody,
    identityOf: hashedOf,
  },
  {
    name: "POST /sfu/get",
    path: "/sfu/get",
    body: sfuGetBody,
    identityOf: plainOf,
  },
  {
    name: "POST /delegate_delayed_leave after /get_token",
    path: "/delegate_delayed_leave",
    body: getTokenBody,
    identityOf: hashedOf,
  },
  {
    name: "POST /delegate_delayed_leave after /sfu/get",
    path: "/delegate_delayed_leave",
    body: getTokenBody,
    identityOf: plainOf,
  },
];

for (const { name, path, body, identityOf } of ENTRANCES) {
  Deno.test(`${name}: nothing is called before joining, then restart, then send, once each`, async () => {
    await using world = await startLeaveWorld();
    const { own, service } = world;
    const delayId = schedule(world, "life");
    const sent = { ...body(world), delay_id: delayId, delay_timeout: DELAY_MS };
    const answer = await ask(service, "POST", path, sent);
    assertEquals(answer.status, 200);
    if (path === "/delegate_delayed_leave") assertEquals(answer.text, "{}");
    assertEquals(own.delayedEvents.actions, []);

    const restarted = own.delayedEvents.performed(1);
    await tell(world, "participant_joined", identityOf(world));
    await restarted;
    assertEquals(own.delayedEvents.count(delayId, "restart"), 1);

    await tell(world, "participant_left", identityOf(world), {
      disconnectReason: "CLIENT_INITIATED",
    });
    await own.delayedEvents.ended(delayId);
    assertEquals(own.delayedEvents.count(delayId, "send"), 1);
  });
}

Deno.test("jobs in a state folder outlive a killed service; who left meanwhile leaves", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const env = { MATRIXRTC_STATE_DIR: join(folder, "state") };
    await using world = await startLeaveWorld(env);
    const { own, sfu, service } = world;
    const delayId = schedule(world, "restart");
    const sent = { ...getTokenBody(world), delay_id: delayId, delay_timeout: DELAY_MS };
    assertEquals((await ask(service, "POST", "/get_token", sent)).status, 200);
    sfu.join(ROOM, hashedOf(world));
    const restarted = own.delayedEvents.performed(1);
    await tell(world, "participant_joined", hashedOf(world));
    await restarted;
    // That the participant was there is kept in the background, but before any later job is.
    const later = {
      ...sfuGetBody(world),
      delay_id: schedule(world, "later"),
      delay_timeout: 1_000,
    };
    assertEquals((await ask(service, "POST", "/sfu/get", later)).status, 200);
    await service.kill();

    sfu.leave(ROOM, hashedOf(world));
    await using next = await start({ env: { ...world.env } });
    await own.delayedEvents.ended(delayId);
    assertEquals(own.delayedEvents.count(delayId, "send"), 1);
    assertMatch(next.output, /took up jobs/);
    assertMatch(next.output, /listening on .* delegation=file/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a second service is kept out of a state folder, with a word on what to do", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using world = await startLeaveWorld({ MATRIXRTC_STATE_DIR: folder });
    let reason = "";
    try {
      await using _second = await start({ env: { ...world.env } });
    } catch (error) {
      reason = String(error);
    }
    assertMatch(reason, /cannot start: another matrixrtc-auth is using .*jobs\.sqlite3/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("POST /delegate_delayed_leave answers as the contract has it", async (t) => {
  await using world = await startLeaveWorld();
  const { own, other, service, sfu } = world;
  const path = "/delegate_delayed_leave";
  const good = () => ({
    ...getTokenBody(world),
    delay_id: schedule(world, "table"),
    delay_timeout: DELAY_MS,
  });
  const errcodeOf = async (body?: unknown) => {
    const answer = await ask(service, "POST", path, body);
    assertEquals(answer.headers.get("access-control-allow-origin"), "*");
    return [answer.status, answer.json.errcode];
  };

  await t.step("a probe without a body is 400", async () => {
    assertEquals(await errcodeOf(), [400, "M_NOT_JSON"]);
  });
  await t.step("a preflight is 200, GET is 405", async () => {
    assertEquals((await ask(service, "OPTIONS", path)).status, 200);
    assertEquals((await ask(service, "GET", path)).status, 405);
  });
  for (
    const [name, change, expected] of [
      ["no delay_id", { delay_id: undefined }, [400, "M_BAD_JSON"]],
      ["an empty delay_id", { delay_id: "" }, [400, "M_BAD_JSON"]],
      ["no delay_timeout", { delay_timeout: undefined }, [400, "M_BAD_JSON"]],
      ["a delay_timeout of 0", { delay_timeout: 0 }, [400, "M_BAD_JSON"]],
      ["a negative delay_timeout", { delay_timeout: -1 }, [400, "M_BAD_JSON"]],
      ["a delay_timeout as text", { delay_timeout: "10000" }, [400, "M_NOT_JSON"]],
      ["a delay_timeout with a fraction", { delay_timeout: 1.5 }, [400, "M_NOT_JSON"]],
      ["a delay_id that is a dot", { delay_id: "." }, [400, "M_BAD_JSON"]],
      ["a delay_id that is two dots", { delay_id: ".." }, [400, "M_BAD_JSON"]],
      ["a delay_id of 10 KB", { delay_id: "x".repeat(10_240) }, [400, "M_BAD_JSON"]],
      ["a delay_id that is no text", { delay_id: 7 }, [400, "M_NOT_JSON"]],
      ["no room_id", { room_id: undefined }, [400, "M_BAD_JSON"]],
      ["no member", { member: undefined }, [400, "M_BAD_JSON"]],
    ] as const
  ) {
    await t.step(name, async () => {
      assertEquals(await errcodeOf({ ...good(), ...change }), [...expected]);
    });
  }
  await t.step("an unknown token is 401", async () => {
    const body = good();
    const openid_token = { ...body.openid_token, access_token: "unknown" };
    assertEquals(await errcodeOf({ ...body, openid_token }), [401, "M_UNAUTHORIZED"]);
  });
  await t.step("a claim to be another user is 401", async () => {
    const body = good();
    const member = { ...body.member, claimed_user_id: `@bob:${own.serverName}` };
    assertEquals(await errcodeOf({ ...body, member }), [401, "M_UNAUTHORIZED"]);
  });
  await t.step("a restricted user is 403", async () => {
    other.settings.users[ALICE] = `@alice:${other.serverName}`;
    const body = good();
    const openid_token = { ...body.openid_token, matrix_server_name: other.serverName };
    const member = { ...body.member, claimed_user_id: `@alice:${other.serverName}` };
    assertEquals(await errcodeOf({ ...body, openid_token, member }), [403, "M_FORBIDDEN"]);
  });
  await t.step("none of these has called the homeserver about an event, or the SFU", () => {
    assertEquals([own.delayedEvents.actions.length, sfu.calls.length], [0, 0]);
  });
});

Deno.test("a user's thirty-third job is 429, and says when to come again", async () => {
  await using world = await startLeaveWorld();
  const { service } = world;
  const statuses: number[] = [];
  let last: Awaited<ReturnType<typeof ask>> | undefined;
  for (let n = 0; n < 33; n++) {
    const body = getTokenBody(world);
    last = await ask(service, "POST", "/delegate_delayed_leave", {
      ...body,
      member: { ...body.member, id: `member ${n}` },
      delay_id: schedule(world, `many ${n}`),
      delay_timeout: DELAY_MS,
    });
    statuses.push(last.status);
  }
  assertEquals(statuses, [...Array(32).fill(200), 429]);
  assertEquals(last?.json.errcode, "M_LIMIT_EXCEEDED");
  assertEquals(Number(last?.headers.get("retry-after")) * 1000, last?.json.retry_after_ms);
});

for (
  const { name, env } of [
    { name: "MATRIXRTC_DELEGATION=off", env: { MATRIXRTC_DELEGATION: "off" } },
    {
      name: "polling is off and no webhook has come",
      env: { LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS: "0" },
    },
  ]
) {
  Deno.test(`delegation is not offered when ${name}`, async () => {
    await using world = await startLeaveWorld(env);
    const { service } = world;
    const probe = await ask(service, "POST", "/delegate_delayed_leave");
    assertEquals([probe.status, probe.json.errcode], [404, "M_UNRECOGNIZED"]);
    assertEquals(probe.headers.get("access-control-allow-origin"), "*");
    const sent = {
      ...getTokenBody(world),
      delay_id: schedule(world, "off"),
      delay_timeout: DELAY_MS,
    };
    const refused = await ask(service, "POST", "/get_token", sent);
    assertEquals([refused.status, refused.json.errcode], [400, "M_BAD_JSON"]);
    if (env.MATRIXRTC_DELEGATION === "off") {
      await service.waitForLog(/listening on .* delegation=off/);
      return;
    }
    await service.waitForLog(/listening on .* delegation=memory/);
    // The first webhook shows that they arrive.
    await tell(world, "participant_joined", hashedOf(world));
    assertEquals((await ask(service, "POST", "/delegate_delayed_leave")).status, 400);
    assertEquals((await ask(service, "POST", "/get_token", sent)).status, 200);
  });
}

Deno.test("a webhook that nobody has signed is refused before its body is read", async () => {
  await using world = await startLeaveWorld();
  const connection = await Deno.connect(addressOf(world.service));
  try {
    await connection.write(new TextEncoder().encode(
      "POST /sfu_webhook HTTP/1.1\r\nHost: a\r\nAuthorization: nonsense\r\n" +
        "Content-Length: 1000000\r\n\r\n",
    ));
    assertMatch(await readUntil(connection, "\r\n\r\n"), /^HTTP\/1\.1 401 /);
  } finally {
    connection.close();
  }
});
