import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { Secret } from "../../lib/secret.ts";
import { createSigner } from "../../lib/signing/hs256.ts";
import { PROXIED_PATHS, type ProxiedCaller, proxyToService } from "../fakes/homeserver_proxy.ts";
import { secret, test, testSecrets } from "./support/watched.ts";
import {
  AS_TOKEN,
  ask,
  BOB,
  getTokenBody,
  openIdToken,
  sfuGetBody,
  startWorld,
  type World,
} from "./support/world.ts";

const WRONG = secret("openid-token-of-nobody");
const LIMITS = {
  MATRIXRTC_RATE_LIMIT_PER_CLIENT: "30/3600",
  MATRIXRTC_RATE_LIMIT_PER_SERVER: "5/3600",
};
/** As a proxy at the usual place says for whom it asks. */
const from = (address: string) => ({ "x-forwarded-for": address });

/** A request of Bob, whose server has no full access. */
function bobBody({ other }: World) {
  return {
    ...sfuGetBody({ own: other } as World),
    openid_token: openIdToken(BOB, other.serverName),
  };
}

/** How many of the requests were answered with each status. */
async function count(times: number, request: () => Promise<{ status: number }>) {
  const counts: Record<number, number> = {};
  for (let n = 0; n < times; n++) {
    const { status } = await request();
    counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
}

test("a client may come so often, whoever it claims to be", async () => {
  await using world = await startWorld(LIMITS);
  const { service } = world;
  let n = 0;
  const counts = await count(
    40,
    () =>
      ask(service, "POST", "/get_token", getTokenBody(world), from(`8.8.8.${n++}, 203.0.113.7`)),
  );
  assertEquals(counts, { 200: 30, 429: 10 });

  const body = getTokenBody(world);
  const limited = await ask(service, "POST", "/sfu/get", sfuGetBody(world), from("203.0.113.7"));
  const seconds = Number(limited.headers.get("retry-after"));
  assert(seconds > 3_500 && seconds <= 3_600, String(seconds));
  assertEquals(limited.json, {
    errcode: "M_LIMIT_EXCEEDED",
    error: "Too many requests",
    retry_after_ms: seconds * 1000,
  });
  assertEquals(limited.headers.get("access-control-allow-origin"), "*");

  // Others are not, nor are probes, preflights, and what comes without a client's address.
  for (const address of ["203.0.113.8", "2001:db8::1", "unknown", "192.168.1.2"]) {
    assertEquals((await ask(service, "POST", "/get_token", body, from(address))).status, 200);
  }
  const forwarded = { forwarded: 'for="[2001:db8::2]:1234"' };
  assertEquals((await ask(service, "POST", "/get_token", body, forwarded)).status, 200);
  assertEquals((await ask(service, "POST", "/get_token", body)).status, 200);
  for (const [method, path] of [["GET", "/healthz"], ["GET", "/readyz"], ["OPTIONS", "/x"]]) {
    assertEquals((await ask(service, method!, path!, undefined, from("203.0.113.7"))).status, 200);
  }
  // All of the /64 has come 30 times then.
  const rest = await count(
    40,
    () => ask(service, "POST", "/get_token", body, from(`2001:db8:0:0:${n++}::1`)),
  );
  assertEquals(rest, { 200: 28, 429: 12 });

  await service.waitForLog(/Too many requests .*limited=client client=[0-9a-f]{12} [^]*Too many/);
  assertEquals(service.output.match(/Too many requests/g)?.length, 2);
  assert(!service.output.includes("203.0.113.7"), service.output);
});

test("tokens that nobody vouches for cost ten times as much", async () => {
  await using world = await startWorld(LIMITS);
  const { service, own } = world;
  const body = { ...sfuGetBody(world), openid_token: openIdToken(WRONG, own.serverName) };
  const guess = () => ask(service, "POST", "/sfu/get", body, from("203.0.113.7"));
  assertEquals(await count(6, guess), { 401: 3, 429: 3 });
  assertEquals(own.requests.filter(({ path }) => path.includes("/userinfo")).length, 3);
});

test("webhooks that nobody has signed cost, those of the SFU pass even then", async () => {
  await using world = await startWorld(LIMITS);
  const { service, sfu } = world;
  const unsigned = () => ask(service, "POST", "/sfu_webhook", "{}", from("203.0.113.7"));
  assertEquals(await count(6, unsigned), { 401: 3, 429: 3 });
  const body = JSON.stringify({ event: "room_finished", room: { name: "a" } });
  const exp = Math.floor(Date.now() / 1000) + 300;
  const sha256 = createHash("sha256").update(body).digest("base64");
  const authorization = createSigner(new Secret(sfu.secret))({ iss: sfu.key, exp, sha256 });
  const signed = () =>
    ask(service, "POST", "/sfu_webhook", body, { ...from("203.0.113.7"), authorization });
  assertEquals(await count(50, signed), { 200: 50 });
});

test("the homeserver passes on as much as its clients want, and of each other server so much", async () => {
  const hsToken = secret("hs-token-0123456789");
  await using world = await startWorld(({ own }) => ({
    ...LIMITS,
    LIVEKIT_CS_API_URL_OVERRIDES: `${own.serverName}=${own.url}`,
    LIVEKIT_AS_TOKEN: AS_TOKEN,
    LIVEKIT_HS_TOKEN: hsToken,
    LIVEKIT_HS_SERVER_NAME: own.serverName,
    LIVEKIT_FULL_ACCESS_HOMESERVERS: "other.example",
  }));
  const { service, own, alice, bob } = world;
  const pass = (caller: ProxiedCaller, path: string, hsToken: string) => async () => {
    const options = { headers: from("203.0.113.7") };
    const to = { serviceUrl: service.url, hsToken };
    const response = await proxyToService(to, caller, path, {}, options);
    await response.body?.cancel();
    return response;
  };
  const { clientGetToken, federationGetToken } = PROXIED_PATHS;
  const client = pass({ userId: alice }, clientGetToken, hsToken);
  assertEquals(await count(50, client), { 400: 50 });

  own.appService.settings.rooms = { "!room:a": { users: [alice, bob] } };
  const federated = async () => {
    const response = await proxyToService(
      { serviceUrl: service.url, hsToken },
      { origin: world.other.serverName },
      federationGetToken,
      {
        url: world.sfu.liveKitUrl,
        room_id: "!room:a",
        slot_id: "m.call#ROOM",
        member_id: "id",
        user_id: bob,
      },
      { headers: from("203.0.113.7") },
    );
    const text = await response.text();
    if (![200, 429].includes(response.status)) throw new Error(text);
    return response;
  };
  assertEquals(await count(8, federated), { 200: 5, 429: 3 });

  const stranger = pass({ userId: alice }, clientGetToken, "wrong");
  assertEquals(await count(6, stranger), { 401: 3, 429: 3 });
  assertEquals((await client()).status, 400);
});

test("users of one server may come so often, those of a server with full access always", async () => {
  await using world = await startWorld({ ...LIMITS, MATRIXRTC_RATE_LIMIT_PER_CLIENT: "off" });
  const { service, other } = world;
  const bob = () => ask(service, "POST", "/sfu/get", bobBody(world));
  assertEquals(await count(8, bob), { 200: 5, 429: 3 });
  const { headers, json } = await bob();
  assertEquals([json.errcode, json.error], [
    "M_LIMIT_EXCEEDED",
    "Too many requests of this homeserver's users",
  ]);
  assertMatch(headers.get("retry-after")!, /^3[56]\d\d$/);
  const alice = () => ask(service, "POST", "/get_token", getTokenBody(world));
  assertEquals(await count(20, alice), { 200: 20 });
  await service.waitForLog(/of this homeserver's users .*limited=server/);
  assertStringIncludes(service.output, `server=${other.serverName}`);
  assertEquals(service.output.match(/of this homeserver's users/g)?.length, 1);
});

test("with * for all, a server is limited like any other", async () => {
  await using world = await startWorld({ ...LIMITS, LIVEKIT_FULL_ACCESS_HOMESERVERS: "*" });
  const bob = () => ask(world.service, "POST", "/sfu/get", bobBody(world));
  assertEquals(await count(8, bob), { 200: 5, 429: 3 });
});

test("without trusted proxies the peer is the client, also a private one", async () => {
  await using world = await startWorld({ ...LIMITS, MATRIXRTC_TRUSTED_PROXIES: "none" });
  let n = 0;
  const request = () =>
    ask(world.service, "POST", "/get_token", getTokenBody(world), from(`203.0.113.${n++}`));
  assertEquals(await count(35, request), { 200: 30, 429: 5 });
});

test("with plain identifiers the log names the address", async () => {
  await using world = await startWorld({ ...LIMITS, MATRIXRTC_LOG_IDENTIFIERS: "plain" });
  await count(35, () => ask(world.service, "GET", "/", undefined, from("2001:db8::1")));
  await world.service.waitForLog(/limited=client client=2001:db8:0:0::\/64 /);
});

test("by default, and with the limits off, a thousand requests from this machine pass", async () => {
  for (const limit of ["", "off"]) {
    await using world = await startWorld({
      MATRIXRTC_RATE_LIMIT_PER_CLIENT: limit,
      MATRIXRTC_RATE_LIMIT_PER_SERVER: limit,
    });
    const ofOne = limit === "off" ? from("203.0.113.7") : undefined;
    const request = () => ask(world.service, "POST", "/get_token", getTokenBody(world), ofOne);
    assertEquals(await count(1_000, request), { 200: 1_000 });
  }
});

testSecrets();
