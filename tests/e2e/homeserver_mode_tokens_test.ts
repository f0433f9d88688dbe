import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { TokenVerifier } from "livekit-server-sdk";
import type { RunningService } from "../support/service.ts";
import { hashNames } from "./support/derived_names.ts";
import { getToken, LEGACY_SLOT, memberId } from "./support/exchange.ts";
import {
  type HomeserverModeWorld,
  type HomeserverSide,
  startHomeserverModeWorld,
} from "./support/homeserver_mode_world.ts";
import type { MatrixUser } from "./support/matrix_client.ts";
import { createCallRoom } from "./support/membership.ts";
import { joinCall } from "./support/participant.ts";
import { listParticipants } from "./support/sfu_view.ts";
import {
  askHomeserver,
  callBody,
  getTokenThrough,
  identityOf,
  openCallRoom,
  PREFIXES,
} from "./support/through_homeserver.ts";

// Tokens through the homeserver, from a client's request to sound on the SFU: two real Synapses that
// federate, each with a service straight behind it and a real LiveKit beside it.

let world: HomeserverModeWorld;
let a: HomeserverSide;
let b: HomeserverSide;
let serviceOfA: RunningService;
let serviceOfB: RunningService;

Deno.test.beforeAll(async () => {
  world = await startHomeserverModeWorld({ isDirect: true });
  ({ a, b } = world);
  [serviceOfA, serviceOfB] = await Promise.all([a.startService(), b.startService()]);
});

Deno.test.afterAll(async () => {
  // What did not start has told why already.
  await Promise.all([serviceOfA?.stop(), serviceOfB?.stop()]);
  await world?.[Symbol.asyncDispose]();
});

async function claimsOf({ sfu }: HomeserverSide, jwt: string) {
  return await new TokenVerifier(sfu.apiKey, sfu.apiSecret).verify(jwt);
}

async function assertRefused(
  side: HomeserverSide,
  user: MatrixUser,
  body: unknown,
  expected: [status: number, errcode: string],
): Promise<void> {
  const answer = await askHomeserver(side, user, "get_token", body);
  assertEquals([answer.status, answer.body.errcode], expected, JSON.stringify(answer.body));
  assert(!("jwt" in answer.body));
}

for (const prefix of ["unstable", "stable"] as const) {
  Deno.test(`local users get tokens at the ${prefix} path and hear each other`, async () => {
    const { host: alice, call, liveKitRoom, enter } = await openCallRoom(a, `alice-${prefix}`);
    const bob = await enter(a, `bob-${prefix}`);
    const tokens = [];
    for (const user of [alice, bob]) {
      const body = callBody(a, user, call);
      const answer = await askHomeserver(a, user, "get_token", body, { prefix });
      assertEquals(answer.status, 200, JSON.stringify(answer.body));
      assertEquals(Object.keys(answer.body), ["jwt"]);
      // Two of them, one of Synapse and one of the service, would be "*, *" and stop a browser.
      assertEquals(answer.headers.get("access-control-allow-origin"), "*");
      assertEquals(answer.headers.get("content-type"), "application/json");
      tokens.push(answer.body.jwt as string);
    }
    const claims = await claimsOf(a, tokens[0]!);
    assertEquals(claims.sub, identityOf(alice));
    assertEquals(claims.sub, hashNames(alice.userId, memberId(alice)));
    assertEquals(claims.video?.room, liveKitRoom);
    assertEquals(claims.video?.canPublish, true);
    assertEquals(claims.video?.roomCreate ?? false, false);
    assert(claims.exp! - claims.nbf! <= 600, `The token lives ${claims.exp! - claims.nbf!} s`);

    await using speaker = await joinCall({ url: a.sfu.url, jwt: tokens[0]! });
    await using listener = await joinCall({ url: a.sfu.url, jwt: tokens[1]! });
    assertEquals(speaker.identity, identityOf(alice));
    await speaker.publishTone();
    assertEquals(await listener.hear(), identityOf(alice));
  });
}

Deno.test("a browser's preflight and Element Call's probe get answers that a browser lets through", async () => {
  const { client } = a.synapse;
  for (const prefix of Object.values(PREFIXES)) {
    for (const endpoint of ["get_token", "delegate_delayed_leave"]) {
      const preflight = await client.fetch(`${prefix}/${endpoint}`, {
        method: "OPTIONS",
        headers: {
          "origin": "https://call.example.org",
          "access-control-request-method": "POST",
          "access-control-request-headers": "authorization,content-type",
        },
      });
      await preflight.body?.cancel();
      assert(preflight.ok, `${preflight.status}`);
      assertEquals(preflight.headers.get("access-control-allow-origin"), "*");
      const listed = (name: string) =>
        preflight.headers.get(name)!.toLowerCase().split(",").map((item) => item.trim());
      assert(listed("access-control-allow-methods").includes("post"));
      for (const header of ["authorization", "content-type"]) {
        assert(listed("access-control-allow-headers").includes(header));
      }

      const probe = await client.fetch(`${prefix}/${endpoint}`, { method: "POST" });
      await probe.body?.cancel();
      assertEquals(probe.status, 401);
      assertEquals(probe.headers.get("access-control-allow-origin"), "*");
    }
  }
});

Deno.test("a body that is none is refused by the service, in words that reach the client", async () => {
  const user = await a.synapse.client.register("says-nothing");
  for (const endpoint of ["get_token", "delegate_delayed_leave"] as const) {
    const nothing = await askHomeserver(a, user, endpoint, undefined);
    assertEquals([nothing.status, nothing.body.errcode], [400, "M_NOT_JSON"]);
    const empty = await askHomeserver(a, user, endpoint, {});
    assertEquals([empty.status, empty.body.errcode], [400, "M_BAD_JSON"]);
    assertEquals(empty.headers.get("access-control-allow-origin"), "*");
  }
});

Deno.test("clients learn from the homeserver which SFU to name", async () => {
  const { host, call } = await openCallRoom(a, "learns");
  const path = "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports";
  const { rtc_transports: [transport] } = await a.synapse.client.request(host, "GET", path);
  const body = { ...callBody(a, host, call), url: transport.url };
  assertEquals((await askHomeserver(a, host, "get_token", body)).status, 200);
});

for (const version of ["10", "12"]) {
  Deno.test(`room version ${version}: who is in the room gets a token, who is not does not`, async () => {
    const { host, call } = await openCallRoom(a, `host-of-${version}`, version);
    // Only the newer ones are without a server name.
    assertEquals(call.roomId.includes(":"), version === "10");
    await getTokenThrough(a, host, call);
    const stranger = await a.synapse.client.register(`stranger-to-${version}`);
    await assertRefused(a, stranger, callBody(a, stranger, call), [403, "M_FORBIDDEN"]);
  });
}

Deno.test("invited is not joined, and left is no longer", async () => {
  const { client } = a.synapse;
  const { host, call, enter } = await openCallRoom(a, "invites");
  const invited = await client.register("invited");
  const room = `/_matrix/client/v3/rooms/${encodeURIComponent(call.roomId)}`;
  await client.request(host, "POST", `${room}/invite`, { user_id: invited.userId });
  await assertRefused(a, invited, callBody(a, invited, call), [403, "M_FORBIDDEN"]);

  const gone = await enter(a, "gone");
  await client.request(gone, "POST", `${room}/leave`, {});
  await assertRefused(a, gone, callBody(a, gone, call), [403, "M_FORBIDDEN"]);
});

Deno.test("a room that nobody knows is refused like one that others are in", async () => {
  const user = await a.synapse.client.register("asks-for-unknown");
  for (const roomId of [`!unknown:${a.synapse.serverName}`, `!${"A".repeat(43)}`]) {
    const call = { roomId, slotId: LEGACY_SLOT };
    await assertRefused(a, user, callBody(a, user, call), [403, "M_FORBIDDEN"]);
  }
});

Deno.test("a user of another homeserver gets a token through both, hears, and cannot publish", async () => {
  const { host: alice, call, liveKitRoom, enter } = await openCallRoom(a, "alice-federated");
  const bob = await enter(b, "bob/federated+or=not");
  // Bob first: the room on the SFU is made for him too.
  const details = await getTokenThrough(b, bob, call, a);
  const claims = await claimsOf(a, details.jwt);
  assertEquals(claims.sub, identityOf(bob));
  assertEquals(claims.video?.room, liveKitRoom);
  assertEquals(claims.video?.canPublish, false);
  assert(claims.exp! - claims.nbf! <= 600, `The token lives ${claims.exp! - claims.nbf!} s`);

  await using listener = await joinCall(details);
  await using speaker = await joinCall(await getTokenThrough(a, alice, call));
  await speaker.publishTone();
  assertEquals(await listener.hear(), identityOf(alice));

  const there = await listParticipants(a.sfu, liveKitRoom);
  assertEquals(there.get(identityOf(alice))?.permission?.canPublish, true);
  assertEquals(there.get(identityOf(bob))?.permission?.canPublish, false);
  await assertRejects(() => listener.publishTone(), Error);
  assertEquals((await listParticipants(a.sfu, liveKitRoom)).get(identityOf(bob))?.tracks, []);
});

Deno.test("each publishes at the own server's SFU and listens at the other's", async () => {
  const { host: alice, call, enter } = await openCallRoom(a, "alice-crosswise");
  const bob = await enter(b, "bob-crosswise");
  await using aliceAtA = await joinCall(await getTokenThrough(a, alice, call));
  await using bobAtB = await joinCall(await getTokenThrough(b, bob, call));
  await using aliceAtB = await joinCall(await getTokenThrough(a, alice, call, b));
  await using bobAtA = await joinCall(await getTokenThrough(b, bob, call, a));
  await Promise.all([aliceAtA.publishTone(), bobAtB.publishTone()]);
  assertEquals(await bobAtA.hear(), identityOf(alice));
  assertEquals(await aliceAtB.hear(), identityOf(bob));
});

Deno.test("another server's SFU: refused to who is not in the room, for rooms it is not in, and by a wrong url", async () => {
  const { call, enter } = await openCallRoom(a, "refuses-others");
  const ask = (user: MatrixUser, roomId: string, url = a.sfu.url) => ({
    ...callBody(a, user, { roomId, slotId: LEGACY_SLOT }),
    url,
    server_name: a.synapse.serverName,
  });
  const stranger = await b.synapse.client.register("stranger-of-b");
  await assertRefused(b, stranger, ask(stranger, call.roomId), [403, "M_FORBIDDEN"]);

  const bob = await enter(b, "bob-refused");
  // The stranger's refusal was not for want of a room that both servers share.
  await getTokenThrough(b, bob, call, a);
  await assertRefused(b, stranger, ask(stranger, call.roomId), [403, "M_FORBIDDEN"]);
  const onlyOfB = await createCallRoom(b.synapse.client, bob);
  await assertRefused(b, bob, ask(bob, onlyOfB), [403, "M_FORBIDDEN"]);
  const wrong = ask(bob, call.roomId, `${a.sfu.url}/`);
  await assertRefused(b, bob, wrong, [400, "M_INVALID_PARAM"]);
  await assertRefused(b, bob, { ...wrong, server_name: undefined }, [400, "M_INVALID_PARAM"]);
});

Deno.test("a server that is none is refused, and one that is not in the room is not even asked", async () => {
  const { host, call } = await openCallRoom(a, "asks-nobody");
  const body = callBody(a, host, call);
  await assertRefused(a, host, { ...body, server_name: "not a name" }, [400, "M_INVALID_PARAM"]);
  // Nobody listens there: to ask would be 502.
  await assertRefused(a, host, { ...body, server_name: "127.0.0.1:9" }, [403, "M_FORBIDDEN"]);
});

Deno.test("only the homeserver's token opens the endpoints, and the ping tells that it fits", async () => {
  const { host, call } = await openCallRoom(a, "goes-around");
  const body = callBody(a, host, call);
  const forms = [
    ["/_matrix/client/unstable/io.element.msc4195/rtc/livekit/get_token", body],
    ["/_matrix/client/unstable/io.element.msc4195/rtc/livekit/delegate_delayed_leave", {
      ...body,
      delay_id: "x",
    }],
    ["/_matrix/federation/unstable/io.element.msc4195/rtc/livekit/get_token", {
      ...body,
      user_id: host.userId,
    }],
    ["/_matrix/app/v1/ping", { transaction_id: "1" }],
  ] as const;
  const post = async (path: string, body: unknown, token?: string) => {
    const response = await fetch(new URL(path, serviceOfA.url), {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-matrix-user-identifier": host.userId,
        "x-matrix-origin": a.synapse.serverName,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
    const { errcode, jwt } = await response.json();
    return [response.status, errcode, typeof jwt];
  };
  for (const [path, body] of forms) {
    const missing = await post(path, body);
    assertEquals(missing, [401, "M_MISSING_TOKEN", "undefined"], path);
    for (const token of [a.token("as_token"), b.token("hs_token"), `${a.token("hs_token")}x`]) {
      const wrong = await post(path, body, token);
      assertEquals(wrong, [401, "M_UNKNOWN_TOKEN", "undefined"], path);
    }
  }
  // The same with the right one: what was refused was the token.
  const [[getTokenPath, getTokenBody], , , [pingPath, pingBody]] = forms;
  assertEquals(await post(getTokenPath, getTokenBody, a.token("hs_token")), [
    200,
    undefined,
    "string",
  ]);
  const response = await fetch(new URL(pingPath, serviceOfA.url), {
    method: "POST",
    headers: { authorization: `Bearer ${a.token("hs_token")}` },
    body: JSON.stringify(pingBody),
  });
  assertEquals([response.status, await response.json()], [200, {}]);
});

Deno.test("Synapse has taken the registration as it was printed, and asks for no url to ping", async () => {
  const id = a.registration.match(/^id: *"?([^"\s]+)/m)![1]!;
  const asToken = a.token("as_token");
  assertNotEquals(asToken, b.token("as_token"));
  const response = await a.synapse.client.fetch(`/_matrix/client/v1/appservice/${id}/ping`, {
    method: "POST",
    headers: { authorization: `Bearer ${asToken}` },
    body: "{}",
  });
  // It knows the service by its token; there is nothing that it would send.
  assertEquals([response.status, (await response.json()).errcode], [400, "M_URL_NOT_SET"]);
  const complaints = a.synapse.lines.filter((line) =>
    / (WARNING|ERROR|CRITICAL) /.test(line) && /appservice|registration/i.test(line) &&
    !/enable_registration/.test(line)
  );
  assertEquals(complaints, []);
});

Deno.test("who forges the homeserver's headers is still oneself", async () => {
  const { host, call } = await openCallRoom(a, "forged");
  const forger = await a.synapse.client.register("forger");
  const body = callBody(a, host, call);
  const headers = {
    "x-matrix-user-identifier": host.userId,
    "x-matrix-origin": a.synapse.serverName,
  };
  const answer = await askHomeserver(a, forger, "get_token", body, { headers });
  assertEquals([answer.status, answer.body.errcode], [403, "M_FORBIDDEN"]);

  const mine = await openCallRoom(a, "forges-at-home");
  const token = await askHomeserver(a, mine.host, "get_token", callBody(a, host, mine.call), {
    headers,
  });
  const claims = await claimsOf(a, token.body.jwt);
  assertEquals(claims.sub, hashNames(mine.host.userId, memberId(host)));
});

Deno.test("old clients with OpenID tokens and new ones through the homeserver meet in one call", async () => {
  const { host: alice, call, enter } = await openCallRoom(a, "alice-of-both");
  const bob = await enter(a, "bob-of-both");
  const carol = await enter(b, "carol-of-both");
  await using modern = await joinCall(await getTokenThrough(a, alice, call));
  await using old = await joinCall(await getToken(serviceOfA.url, a.synapse.client, bob, call));
  await using guest = await joinCall(
    await getToken(serviceOfA.url, b.synapse.client, carol, call),
  );
  assertEquals(old.identity, hashNames(bob.userId, bob.deviceId, memberId(bob)));
  await modern.publishTone();
  assertEquals(await old.hear(), modern.identity);
  assertEquals(await guest.hear(), modern.identity);
  // The same user by the other way is another participant.
  await using again = await joinCall(await getToken(serviceOfA.url, a.synapse.client, alice, call));
  assertNotEquals(again.identity, modern.identity);
});

Deno.test("the service is down: clients of both homeservers are told so, and served once it is back", async () => {
  const { host, call, enter } = await openCallRoom(a, "no-service");
  const bob = await enter(b, "bob-no-service");
  await getTokenThrough(b, bob, call, a);
  await serviceOfA.kill();
  const own = await askHomeserver(a, host, "get_token", callBody(a, host, call));
  assertEquals([own.status, own.body.errcode], [500, "M_UNKNOWN"]);
  const body = { ...callBody(a, bob, call), server_name: a.synapse.serverName };
  await assertRefused(b, bob, body, [502, "M_UNKNOWN"]);
  serviceOfA = await a.startService();
  await getTokenThrough(a, host, call);
  await getTokenThrough(b, bob, call, a);
});
