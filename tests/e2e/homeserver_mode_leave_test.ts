import { assert, assertEquals, assertMatch } from "@std/assert";
import type { RunningService } from "../support/service.ts";
import { assertSentOnce } from "./support/call_world.ts";
import { memberId } from "./support/exchange.ts";
import {
  type HomeserverModeWorld,
  type HomeserverSide,
  startHomeserverModeWorld,
} from "./support/homeserver_mode_world.ts";
import type { HomeserverTap } from "./support/homeserver_tap.ts";
import { STORES } from "./support/kept_jobs.ts";
import { createScenarios } from "./support/scenarios.ts";
import {
  type Announced,
  announceIn,
  askHomeserver,
  type CallRoom,
  getTokenThrough,
  identityOf,
  openCallRoom,
} from "./support/through_homeserver.ts";

// Leaves that clients hand over through their homeserver: a real Synapse, a real LiveKit, browsers that
// hang up, die or come late, and services that are killed.

/** LiveKit tells of a killed participant after about 21 s. */
const KILLED_MS = 35_000;
const LEAVE_MS = 10_000;

interface Place extends HomeserverModeWorld {
  readonly tap: HomeserverTap;
  /** Told by webhooks alone: what it gets right is not the polling's merit. */
  readonly service: RunningService;
}

const WEBHOOKS_ONLY = { MATRIXRTC_DELEGATION: "on", LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS: "0" };

async function startPlace(): Promise<Place> {
  await using parts = new AsyncDisposableStack();
  const world = parts.use(await startHomeserverModeWorld());
  const service = parts.use(await world.a.startService(WEBHOOKS_ONLY));
  const all = parts.move();
  return {
    ...world,
    tap: world.a.tap!,
    service,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

const scenario = createScenarios(startPlace, 4);

/** Somebody whose leave a service has taken over. */
interface Delegated extends CallRoom, Announced {}

async function delegate(
  a: HomeserverSide,
  service: { readonly url: string },
  name: string,
  delayMs?: number,
): Promise<Delegated> {
  const room = await openCallRoom(a, name);
  a.lead(room.call, service);
  const announced = await announceIn(a, room.host, room.call, delayMs);
  await handOver(a, announced);
  return { ...room, ...announced };
}

async function handOver(a: HomeserverSide, { body, user }: Announced): Promise<void> {
  const answer = await askHomeserver(a, user, "delegate_delayed_leave", body);
  assertEquals([answer.status, answer.body], [200, {}]);
  assertEquals(answer.headers.get("access-control-allow-origin"), "*");
}

scenario("a browser is killed: the others see the user leave", async (world) => {
  const { a, service, tap } = world;
  // As clients do it: the leave is handed over once the user is in the call.
  const room = await openCallRoom(a, "killed");
  a.lead(room.call, service);
  const announced = await announceIn(a, room.host, room.call);
  const caller = await world.startCaller();
  const identity = await caller.join(await getTokenThrough(a, room.host, room.call));
  assertEquals(identity, identityOf(room.host));
  await handOver(a, announced);
  await tap.waitFor(announced.membership.delayId, "restart");
  await caller.kill();
  await announced.membership.left(KILLED_MS);
  await assertSentOnce(tap, announced.membership);
});

scenario("a user hangs up: the others see it within two seconds", async (world) => {
  const { a, service, tap } = world;
  const { call, host, liveKitRoom, membership } = await delegate(a, service, "hangs/up+at=once");
  const caller = await world.startCaller();
  await caller.join(await getTokenThrough(a, host, call));
  await a.hub.waitFor(liveKitRoom, { event: "participant_joined" });
  await tap.waitFor(membership.delayId, "restart");
  assert(await membership.isThere());
  await caller.hangUp();
  await membership.left(2_000);
  await assertSentOnce(tap, membership);
});

scenario("the user comes after more than the delay: until then it is restarted", async (world) => {
  const { a, service, tap } = world;
  const delayMs = 4_000;
  const begunAt = performance.now();
  const { call, host, liveKitRoom, membership } = await delegate(a, service, "late", delayMs);
  while (performance.now() - begunAt < 2 * delayMs) {
    await tap.waitFor(membership.delayId, "restart", 1 + count(tap, membership.delayId));
  }
  assert(await membership.isThere());
  assertEquals(tap.statuses(membership.delayId, "send"), []);

  const caller = await world.startCaller();
  await caller.join(await getTokenThrough(a, host, call));
  await a.hub.waitFor(liveKitRoom, { event: "participant_joined" });
  await tap.waitFor(membership.delayId, "restart", 2 + count(tap, membership.delayId));
  assert(await membership.isThere());
  await caller.hangUp();
  await membership.left(delayMs / 2);
  await assertSentOnce(tap, membership);
});

function count(tap: HomeserverTap, delayId: string): number {
  return tap.statuses(delayId, "restart").filter((status) => status === 200).length;
}

scenario("only the user's own delayed event of this room is taken over", async (world) => {
  const { a, service, tap } = world;
  const mine = await openCallRoom(a, "owner");
  const other = await openCallRoom(a, "other");
  for (const { call } of [mine, other]) a.lead(call, service);
  const theirs = await announceIn(a, await mine.enter(a, "neighbour"), mine.call);
  const elsewhere = await announceIn(a, await other.enter(a, "elsewhere"), other.call);
  const own = await announceIn(a, mine.host, mine.call);
  const refused = [
    { name: "another user's", body: { ...own.body, delay_id: theirs.membership.delayId } },
    { name: "an unknown one", body: { ...own.body, delay_id: "syd_unknown" } },
    { name: "a path", body: { ...own.body, delay_id: ".." } },
    { name: "another SFU's", body: { ...own.body, url: world.b.sfu.url } },
  ];
  for (const { name, body } of refused) {
    const answer = await askHomeserver(a, own.user, "delegate_delayed_leave", body);
    assertEquals([answer.status, answer.body.errcode], [400, "M_INVALID_PARAM"], name);
  }
  const wrongRoom = { ...elsewhere.body, room_id: mine.call.roomId };
  const answer = await askHomeserver(a, elsewhere.user, "delegate_delayed_leave", wrongRoom);
  assertEquals([answer.status, answer.body.errcode], [400, "M_INVALID_PARAM"], "another room's");

  // Each is good where it belongs; what was refused was the combination, and nothing came of it.
  for (const { membership } of [theirs, elsewhere, own]) {
    assertEquals(tap.calls(membership.delayId, "restart"), []);
  }
  for (const announced of [theirs, elsewhere, own]) await handOver(a, announced);
  for (const { membership } of [theirs, elsewhere, own]) {
    await tap.waitFor(membership.delayId, "restart");
  }
});

for (const { name, open } of STORES) {
  scenario(
    `${name}: the service is killed while it waits and once more in the call`,
    async (world) => {
      const { a, tap } = world;
      await using kept = await open();
      const env = { ...WEBHOOKS_ONLY, ...kept.env };
      await using first = await a.startService(env);
      const { call, host, liveKitRoom, membership } = await delegate(
        a,
        first,
        `kept-${name.toLowerCase()}`,
        20_000,
      );
      await first.kill();

      await using second = await a.startService(env);
      a.lead(call, second);
      await tap.waitFor(membership.delayId, "restart", 1 + count(tap, membership.delayId));
      const caller = await world.startCaller();
      await caller.join(await getTokenThrough(a, host, call));
      await a.hub.waitFor(liveKitRoom, { event: "participant_joined" });
      await tap.waitFor(membership.delayId, "restart", 1 + count(tap, membership.delayId));
      await second.kill();
      assert(await membership.isThere());
      await caller.hangUp();

      await using third = await a.startService(env);
      a.lead(call, third);
      await membership.left(LEAVE_MS);
      await assertSentOnce(tap, membership);
    },
  );
}

scenario("calls for delegated leaves carry the user, and no log has the secrets", async (world) => {
  const { a, tap } = world;
  await using service = await a.startService({
    LIVEKIT_LOG_LEVEL: "debug",
    MATRIXRTC_LOG_IDENTIFIERS: "hashed",
  });
  const { body, call, host, liveKitRoom, membership } = await delegate(a, service, "logged");
  const details = await getTokenThrough(a, host, call);
  const caller = await world.startCaller();
  await caller.join(details);
  await a.hub.waitFor(liveKitRoom, { event: "participant_joined" });
  await tap.waitFor(membership.delayId, "restart");
  await caller.hangUp();
  await membership.left(LEAVE_MS);
  await assertSentOnce(tap, membership);
  for (const action of ["restart", "send"] as const) {
    for (const { hasToken, userId } of tap.calls(membership.delayId, action)) {
      assertEquals({ hasToken, userId }, { hasToken: true, userId: host.userId });
    }
  }
  await service.stop();
  assertMatch(service.output, /DEBUG .*state=Disconnected/);
  const secrets = {
    asToken: a.token("as_token"),
    hsToken: a.token("hs_token"),
    delayId: body.delay_id!,
    jwt: details.jwt,
    userId: host.userId,
    roomId: call.roomId,
    memberId: memberId(host),
  };
  for (const [name, secret] of Object.entries(secrets)) {
    assert(!service.output.includes(secret), `The log holds the ${name}`);
  }
  for (const line of [...a.synapse.lines, ...world.b.synapse.lines]) {
    assert(!/ (ERROR|CRITICAL) /.test(line), line);
  }
});

scenario("what Synapse passes on: the body as it is, and no header but its own", async (world) => {
  const { a, b, service } = world;
  const { call, enter, host } = await openCallRoom(a, "passed-on");
  const guest = await enter(b, "passed-on-federated");
  // Nobody answers for it here: what counts is what came.
  const noService = { url: "http://127.0.0.1:9" };
  for (const side of [a, b]) side.lead(call, noService);
  const body = { z: "☎", room_id: call.roomId, a: 1 };
  for (const prefix of ["unstable", "stable"] as const) {
    const response = await a.synapse.client.fetch(
      `/_matrix/client/${prefix === "stable" ? "v1" : "unstable/io.element.msc4195"}` +
        "/rtc/livekit/get_token?kept=1",
      {
        method: "POST",
        headers: {
          "authorization": `Bearer ${host.accessToken}`,
          "content-type": "application/json",
          "cookie": "a=b",
          "x-forwarded-for": "192.0.2.1",
          "x-matrix-origin": b.synapse.serverName,
          "x-matrix-user-identifier": guest.userId,
        },
        body: JSON.stringify(body),
      },
    );
    await response.body?.cancel();
    assertEquals(response.status, 502);
  }
  for (const request of a.front!.seen(call.roomId)) {
    assertMatch(request.target, /^\/_matrix\/client\/.*\/rtc\/livekit\/get_token\?kept=1$/);
    assertEquals(request.body, JSON.stringify(body));
    assertEquals(request.headers.authorization, `Bearer ${a.token("hs_token")}`);
    assertEquals(request.headers["x-matrix-user-identifier"], host.userId);
    for (const name of ["x-matrix-origin", "x-forwarded-for", "cookie"]) {
      assertEquals(request.headers[name], undefined);
    }
  }
  assertEquals(a.front!.seen(call.roomId).length, 2);

  const response = await b.synapse.client.fetch(
    "/_matrix/client/unstable/io.element.msc4512/appservice/fed_proxy",
    {
      method: "POST",
      headers: { authorization: `Bearer ${b.token("as_token")}` },
      body: JSON.stringify({
        destination: a.synapse.serverName,
        method: "POST",
        path: "/_matrix/federation/unstable/io.element.msc4195/rtc/livekit/get_token",
        body,
      }),
    },
  );
  assertEquals([response.status, (await response.json()).status], [200, 502]);
  const passed = a.front!.seen(call.roomId)[2]!;
  assertEquals(
    passed.target,
    "/_matrix/federation/unstable/io.element.msc4195/rtc/livekit/get_token",
  );
  assertEquals(JSON.parse(passed.body), body);
  assertEquals(passed.headers["x-matrix-origin"], b.synapse.serverName);
  assertEquals(passed.headers["x-matrix-user-identifier"], undefined);
  // The service behind it is well.
  a.lead(call, service);
  await getTokenThrough(a, host, call);
});
