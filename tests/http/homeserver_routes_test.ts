import { assert, assertEquals, assertMatch } from "@std/assert";
import { createHandler } from "../../lib/http/handler.ts";
import { createHsTokenCheck } from "../../lib/http/hs_token.ts";
import { createHomeserverRoutes } from "../../lib/http/homeserver_routes.ts";
import { WorkLimit } from "../../lib/http/work_limit.ts";
import type { LiveKitRoom } from "../../lib/signing/names.ts";
import { Secret } from "../../lib/secret.ts";
import { captureLog } from "../support/captured_log.ts";
import { createManualClock } from "../support/manual_clock.ts";

const HS_TOKEN = "hs_token_0123456789";
const CLIENT = "/_matrix/client/unstable/io.element.msc4195/rtc/livekit";
const FEDERATION = "/_matrix/federation/unstable/io.element.msc4195/rtc/livekit";
const AUTHORIZED = { authorization: `Bearer ${HS_TOKEN}` };
const ALICE = { ...AUTHORIZED, "x-matrix-user-identifier": "@alice:example.org" };
const OTHER_SERVER = { ...AUTHORIZED, "x-matrix-origin": "b.example" };
const CALL = { url: "wss://sfu", room_id: "!r", slot_id: "m.call#ROOM", member_id: "m" };

async function createWorld() {
  const acted: string[] = [];
  const room = "room" as LiveKitRoom;
  const clock = createManualClock();
  const log = await captureLog({ level: "info", format: "text", clock });
  let isPossible = true;
  const grant = (what: string) => (_body: unknown, caller: string) => {
    acted.push(`${what} for ${caller}`);
    const access = "local" as const;
    return Promise.resolve({ joinToken: "jwt", url: undefined, room, userId: "@a:b", access });
  };
  const handle = createHandler({
    log: log.log,
    nextRequestId: () => "id",
    routes: createHomeserverRoutes({
      log: log.log,
      clock,
      pseudonym: () => "u-1",
      checkHsToken: createHsTokenCheck(new Secret(HS_TOKEN)),
      ownServerName: "example.org",
      getToken: grant("token"),
      federationGetToken: grant("federation token"),
      delegate: (_body, caller) => {
        acted.push(`delegation for ${caller}`);
        return Promise.resolve({ userId: caller, room });
      },
      isDelegationPossible: () => isPossible,
      limits: { clients: new WorkLimit(10), servers: new WorkLimit(10) },
    }),
  });
  async function ask(
    path: string,
    headers: Record<string, string> = {},
    body: unknown = CALL,
    method = "POST",
  ) {
    const response = await handle(
      new Request(`http://rtc${path}`, {
        method,
        headers,
        ...(method === "POST" ? { body: JSON.stringify(body) } : {}),
      }),
    );
    const text = await response.text();
    return { status: response.status, headers: response.headers, json: JSON.parse(text || "null") };
  }
  return { ask, acted, log, forbid: () => void (isPossible = false) };
}

const ENDPOINTS = [
  {
    path: `${CLIENT}/get_token`,
    headers: ALICE,
    body: CALL,
    acted: "token for @alice:example.org",
  },
  {
    path: "/_matrix/client/v1/rtc/livekit/get_token",
    headers: ALICE,
    body: CALL,
    acted: "token for @alice:example.org",
  },
  {
    path: `${CLIENT}/delegate_delayed_leave`,
    headers: ALICE,
    body: { ...CALL, delay_id: "syd" },
    acted: "delegation for @alice:example.org",
  },
  {
    path: `${FEDERATION}/get_token`,
    headers: OTHER_SERVER,
    body: { ...CALL, user_id: "@bob:b.example" },
    acted: "federation token for b.example",
  },
];

for (const { path, headers, body, acted } of ENDPOINTS) {
  const isForClients = path.includes("/client/");

  Deno.test(`${path} acts for whom the homeserver names`, async () => {
    const world = await createWorld();
    const { status, json, headers: got } = await world.ask(path, headers, body);
    assertEquals([status, world.acted], [200, [acted]]);
    assertEquals(json, path.endsWith("get_token") ? { jwt: "jwt" } : {});
    assertEquals(got.get("access-control-allow-origin"), isForClients ? "*" : null);
    assertEquals(got.get("x-request-id"), "id");
  });

  Deno.test(`${path} believes nothing without the homeserver's token`, async () => {
    const world = await createWorld();
    const { authorization: _, ...named } = headers as Record<string, string>;
    // A broken body would be told otherwise: it is not even read.
    const missing = await world.ask(path, named, "no object");
    assertEquals([missing.status, missing.json.errcode], [401, "M_MISSING_TOKEN"]);
    const wrong = await world.ask(path, { ...named, authorization: "Bearer x" }, "no object");
    assertEquals([wrong.status, wrong.json.errcode], [401, "M_UNKNOWN_TOKEN"]);
    assertEquals(missing.headers.get("access-control-allow-origin"), isForClients ? "*" : null);
    assertEquals(world.acted, []);
  });

  Deno.test(`${path} answers 401 when the homeserver names nobody`, async () => {
    const world = await createWorld();
    const wrongHeader = isForClients
      ? { "x-matrix-origin": "example.org" }
      : { "x-matrix-user-identifier": "@bob:b.example" };
    for (
      const more of [{}, { "x-matrix-user-identifier": "", "x-matrix-origin": "" }, wrongHeader]
    ) {
      const { status, json } = await world.ask(path, { ...AUTHORIZED, ...more }, body);
      assertEquals([status, json.errcode], [401, "M_UNAUTHORIZED"]);
    }
    assertEquals(world.acted, []);
  });

  Deno.test(`${path} answers 400 to broken bodies and 405 to other methods`, async () => {
    const world = await createWorld();
    assertEquals((await world.ask(path, headers, "text")).json.errcode, "M_NOT_JSON");
    assertEquals((await world.ask(path, headers, {})).json.errcode, "M_BAD_JSON");
    assertEquals((await world.ask(path, headers, undefined, "GET")).status, 405);
    const preflight = await world.ask(path, {}, undefined, "OPTIONS");
    assertEquals(preflight.status, isForClients ? 200 : 405);
    const allowed = preflight.headers.get("access-control-allow-headers") ?? "";
    assertEquals(/\bAuthorization\b/.test(allowed), isForClients);
    assertEquals(world.acted, []);
  });
}

Deno.test("another server's name must be one", async () => {
  const world = await createWorld();
  const body = { ...CALL, user_id: "@bob:b.example" };
  for (const origin of ["https://b.example", "b.example, c.example", "b example", "@bob:b"]) {
    const headers = { ...AUTHORIZED, "x-matrix-origin": origin };
    const { status, json } = await world.ask(`${FEDERATION}/get_token`, headers, body);
    assertEquals([origin, status, json.errcode], [origin, 401, "M_UNAUTHORIZED"]);
  }
});

Deno.test("user IDs are read as UTF-8, and are nobody's where they are not", async () => {
  const world = await createWorld();
  const bytes = new TextEncoder().encode("@zo\u00eb\u{1f4de}:example.org");
  const asHeader = String.fromCharCode(...bytes);
  await world.ask(`${CLIENT}/get_token`, { ...ALICE, "x-matrix-user-identifier": asHeader });
  assertEquals(world.acted, ["token for @zo\u00eb\u{1f4de}:example.org"]);
  const broken = { ...ALICE, "x-matrix-user-identifier": "@zo\u00eb:example.org" };
  assertEquals((await world.ask(`${CLIENT}/get_token`, broken)).status, 401);
});

Deno.test("delegation is not there while it cannot work", async () => {
  const world = await createWorld();
  world.forbid();
  const body = { ...CALL, delay_id: "syd" };
  const { status, json } = await world.ask(`${CLIENT}/delegate_delayed_leave`, ALICE, body);
  assertEquals([status, json.errcode, world.acted], [404, "M_UNRECOGNIZED", []]);
});

Deno.test("the homeserver's ping is answered to the homeserver alone", async () => {
  const { ask } = await createWorld();
  const path = "/_matrix/app/v1/ping";
  const { status, json } = await ask(path, AUTHORIZED, { transaction_id: "1" });
  assertEquals([status, json], [200, {}]);
  assertEquals((await ask(path, {}, {})).json.errcode, "M_MISSING_TOKEN");
  assertEquals(
    (await ask(path, { authorization: "Bearer x" }, {})).json.errcode,
    "M_UNKNOWN_TOKEN",
  );
});

Deno.test("the log names server and access, never a token", async () => {
  const world = await createWorld();
  await world.ask(`${CLIENT}/get_token`, ALICE);
  await world.ask(`${FEDERATION}/get_token`, OTHER_SERVER, { ...CALL, user_id: "@bob:b.example" });
  await world.ask(`${CLIENT}/get_token`, { authorization: "Bearer wrong-token" });
  const text = await world.log.logText();
  assertMatch(text, /access=local.* server=example\.org/);
  assertMatch(text, /access=local.* server=b\.example/);
  assertMatch(text, /M_UNKNOWN_TOKEN|Unknown access token/);
  assert(!text.includes(HS_TOKEN) && !text.includes("wrong-token"));
});
