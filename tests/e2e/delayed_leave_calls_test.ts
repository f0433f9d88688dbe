import { assert, assertEquals, assertMatch } from "@std/assert";
import type { RunningService } from "../support/service.ts";
import {
  announceUser,
  assertSentOnce,
  type CallWorld,
  delegate,
  joinDelegated,
  startCallWorld,
} from "./support/call_world.ts";
import {
  getToken,
  getTokenBody,
  LEGACY_SLOT,
  post,
  sfuGet,
  sfuGetBody,
} from "./support/exchange.ts";
import { abortJoin } from "./support/aborted_join.ts";
import { startPathRecorder } from "./support/path_recorder.ts";
import { createScenarios } from "./support/scenarios.ts";

// Whose leave is shown in the room, and when: real Synapses, a real LiveKit, browsers that hang up,
// die, reconnect or never come.

/** LiveKit tells of a killed participant after about 21 s. */
const KILLED_MS = 35_000;
/** Long enough for a busy machine; who misses the webhook misses it for an hour. */
const LEAVE_MS = 10_000;

const DELAYED_EVENTS = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events";

interface Place extends CallWorld {
  /** Told by webhooks alone: what it gets right is not the polling's merit. */
  readonly service: RunningService;
}

async function startPlace(): Promise<Place> {
  await using parts = new AsyncDisposableStack();
  const world = parts.use(await startCallWorld());
  const service = parts.use(
    await world.startService({
      MATRIXRTC_DELEGATION: "on",
      LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS: "0",
    }),
  );
  const all = parts.move();
  return { ...world, service, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

const scenario = createScenarios(startPlace, 6);

scenario("a browser is killed: the others see the user leave", async (world) => {
  const alice = await joinDelegated(world, world.service, "killed");
  await world.tap.waitFor(alice.membership.delayId, "restart");
  await alice.caller.kill();
  await alice.membership.left(KILLED_MS);
  await assertSentOnce(world.tap, alice.membership);
});

scenario("a user hangs up: the others see it within two seconds", async (world) => {
  const alice = await joinDelegated(world, world.service, "hangs-up");
  await world.tap.waitFor(alice.membership.delayId, "restart");
  assert(await alice.membership.isThere());
  await alice.caller.hangUp();
  await alice.membership.left(2_000);
  await assertSentOnce(world.tap, alice.membership);
});

scenario(
  "a client that is told by .well-known where the homeserver is: the leave gets there",
  async (world) => {
    await using service = await world.startService({ LIVEKIT_CS_API_URL_OVERRIDES: "" });
    const alice = await joinDelegated(world, service, "well-known");
    await world.hub.waitFor(alice.liveKitRoom, { event: "participant_joined" });
    await alice.caller.hangUp();
    await alice.membership.left(LEAVE_MS);
    assertEquals(world.tap.statuses(alice.membership.delayId, "send"), []);
  },
);

scenario(
  "a user gets a token and never joins: the leave comes when the delay is over",
  async (world) => {
    // The homeserver would wait an hour; only the service has been told three seconds.
    const alice = await announceUser(world.near, "never-joins");
    world.hub.route(alice.liveKitRoom, world.service.url);
    await delegate(world.service.url, alice, "/get_token", 3_000);
    assert(await alice.membership.isThere());
    await alice.membership.left(8_000);
    assertEquals(world.tap.statuses(alice.membership.delayId, "restart"), []);
    // With so little time left an attempt is given up early, and the next one finds it sent already.
    await assertSentOnce(world.tap, alice.membership, 404);
  },
);

scenario(
  "a browser reconnects at once: no leave, and the new session is protected",
  async (world) => {
    const alice = await joinDelegated(world, world.service, "reconnects");
    const { hub, tap } = world;
    await hub.waitFor(alice.liveKitRoom, { event: "participant_joined" });
    await alice.caller.join(alice.details);
    await hub.waitFor(alice.liveKitRoom, {
      event: "participant_left",
      reason: "DUPLICATE_IDENTITY",
    });
    await hub.waitFor(alice.liveKitRoom, { event: "participant_joined" }, 2);

    await alice.caller.kill();
    const left = await hub.waitFor(alice.liveKitRoom, { event: "participant_left" }, 2);
    await alice.membership.left(LEAVE_MS);
    const sent = await assertSentOnce(tap, alice.membership);
    assert(sent.at > left.at, "The leave was sent before the SFU told that the user had gone");
  },
);

scenario(
  "the first attempt to connect fails and the second works: it is protected",
  async (world) => {
    const { hub, service, tap } = world;
    const alice = await announceUser(world.near, "second-attempt");
    hub.route(alice.liveKitRoom, service.url);
    const details = await delegate(service.url, alice);
    await abortJoin(details);
    await hub.waitFor(alice.liveKitRoom, { event: "participant_connection_aborted" });

    const caller = await world.startCaller();
    await caller.join(details);
    await hub.waitFor(alice.liveKitRoom, { event: "participant_joined" });
    await tap.waitFor(alice.membership.delayId, "restart");
    await caller.kill();
    const left = await hub.waitFor(alice.liveKitRoom, { event: "participant_left" });
    await alice.membership.left(LEAVE_MS);
    const sent = await assertSentOnce(tap, alice.membership);
    assert(sent.at > left.at, "The leave was sent before the SFU told that the user had gone");
  },
);

for (
  const { path, join, name } of [
    { path: "/sfu/get", join: sfuGet, name: "compatible" },
    { path: "/get_token", join: getToken, name: "delegates-later" },
  ]
) {
  scenario(
    `joined by ${path}, delegated by /delegate_delayed_leave: the user is found`,
    async (world) => {
      const { hub, service, tap } = world;
      const alice = await announceUser(world.near, name);
      hub.route(alice.liveKitRoom, service.url);
      const caller = await world.startCaller();
      await caller.join(await join(service.url, world.near.client, alice.user, alice.call));
      await delegate(service.url, alice, "/delegate_delayed_leave");
      await tap.waitFor(alice.membership.delayId, "restart");
      await caller.hangUp();
      await alice.membership.left(LEAVE_MS);
      await assertSentOnce(tap, alice.membership);
    },
  );
}

scenario(
  "a client's second delegation replaces the first: only the new leave is sent",
  async (world) => {
    const { hub, service, tap } = world;
    const alice = await announceUser(world.near, "replaces");
    hub.route(alice.liveKitRoom, service.url);
    const details = await delegate(service.url, alice, "/sfu/get", 4_000);
    const caller = await world.startCaller();
    await caller.join(details);
    await tap.waitFor(alice.membership.delayId, "restart");

    const again = { ...alice, membership: await alice.membership.announceAgain() };
    await delegate(service.url, again, "/sfu/get", 4_000);
    await tap.waitFor(again.membership.delayId, "restart");
    const before = tap.statuses(alice.membership.delayId, "restart").length;
    await tap.waitFor(again.membership.delayId, "restart", 4);
    // One may have been on its way.
    const since = tap.statuses(alice.membership.delayId, "restart").length - before;
    assert(since <= 1, `The first leave was restarted ${since} times after it was replaced`);

    await caller.hangUp();
    await again.membership.left(LEAVE_MS);
    await assertSentOnce(tap, again.membership);
    assertEquals(tap.statuses(alice.membership.delayId, "send"), []);
  },
);

scenario(
  "MATRIXRTC_DELEGATE_FOR=all: a restricted user's browser is killed, and the user leaves",
  async (world) => {
    await using service = await world.startService({ MATRIXRTC_DELEGATE_FOR: "all" });
    const bob = await announceUser(world.far, "restricted");
    world.hub.route(bob.liveKitRoom, service.url);
    // Only a full-access user makes the room; nobody asks whether that user is in it.
    const host = await world.near.client.register("restricted-host");
    await getToken(service.url, world.near.client, host, bob.call);
    const caller = await world.startCaller();
    await caller.join(await delegate(service.url, bob));
    await world.farTap.waitFor(bob.membership.delayId, "restart");
    await caller.kill();
    await bob.membership.left(KILLED_MS);
    await assertSentOnce(world.farTap, bob.membership);
  },
);

scenario("the SFU has no webhooks: polling alone finds who has left", async (world) => {
  await using service = await world.startService({ LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS: "2" });
  const alice = await announceUser(world.near, "polled");
  const details = await delegate(service.url, alice);
  const caller = await world.startCaller();
  await caller.join(details);
  await world.tap.waitFor(alice.membership.delayId, "restart");
  await caller.hangUp();
  await alice.membership.left(8_000);
  await assertSentOnce(world.tap, alice.membership);
});

scenario(
  "the log of a delegated leave holds no delay ID, token or user, even at debug level",
  async (world) => {
    await using service = await world.startService({
      LIVEKIT_LOG_LEVEL: "debug",
      MATRIXRTC_LOG_IDENTIFIERS: "hashed",
    });
    const alice = await joinDelegated(world, service, "logged");
    await world.tap.waitFor(alice.membership.delayId, "restart");
    await alice.caller.hangUp();
    await alice.membership.left(LEAVE_MS);
    await service.stop();
    assertMatch(service.output, /DEBUG .*state=Disconnected/);
    const { user, details, membership, call } = alice;
    const secrets = {
      delayId: membership.delayId,
      jwt: details.jwt,
      userId: user.userId,
      deviceId: user.deviceId,
      roomId: call.roomId,
    };
    for (const [name, secret] of Object.entries(secrets)) {
      assert(!service.output.includes(secret), `The log holds the ${name}`);
    }
  },
);

/** What a client may say of its leave, and whether the service takes it. */
const HAND_OVERS: readonly { delayId?: unknown; delayTimeout?: unknown; errcode?: string }[] = [
  { delayTimeout: 1 },
  // As long as a day, in which nobody is asked for anything.
  { delayTimeout: 2 ** 53 },
  { delayTimeout: -1, errcode: "M_BAD_JSON" },
  { delayTimeout: 0, errcode: "M_BAD_JSON" },
  { delayTimeout: 0.5, errcode: "M_NOT_JSON" },
  { delayTimeout: "3600000", errcode: "M_NOT_JSON" },
  { delayId: 5, errcode: "M_NOT_JSON" },
  { delayId: ".", errcode: "M_BAD_JSON" },
  { delayId: "..", errcode: "M_BAD_JSON" },
  { delayId: "x".repeat(10 * 1024), errcode: "M_BAD_JSON" },
  { delayId: "/" },
  { delayId: "../../../../v3/logout" },
  { delayId: "%2e%2e" },
  { delayId: "..%2f.." },
  { delayId: "..\\.." },
  { delayId: "a?b#c&d" },
  { delayId: "a\r\nHost: b" },
  { delayId: "☎ ." },
];

scenario(
  "what a client says of its leave is refused, or stays in its segment of the homeserver's path",
  async ({ near, startService }) => {
    await using homeserver = await startPathRecorder();
    await using service = await startService({
      LIVEKIT_CS_API_URL_OVERRIDES: `${near.serverName}=${homeserver.url}/base`,
    });
    const user = await near.client.register("says-anything");
    const token = await near.client.requestOpenIdToken(user);
    const expected = [];
    for (const path of ["/get_token", "/sfu/get", "/delegate_delayed_leave"]) {
      for (
        const [i, { delayId = `plain-${path}`, delayTimeout = 1, errcode }] of HAND_OVERS.entries()
      ) {
        // Nobody joins: after the millisecond the leave is sent.
        const call = { roomId: `!${path}-${i}`, slotId: LEGACY_SLOT };
        const makeBody = path === "/sfu/get" ? sfuGetBody : getTokenBody;
        const { status, body } = await post(service.url, path, {
          ...makeBody(user, token, call),
          delay_id: delayId,
          delay_timeout: delayTimeout,
        });
        const which = `${path} ${i}: ${JSON.stringify(body)}`;
        assertEquals([status, body.errcode], errcode ? [400, errcode] : [200, undefined], which);
        if (errcode || delayTimeout !== 1) continue;
        const segment = encodeURIComponent(String(delayId));
        expected.push(`POST /base${DELAYED_EVENTS}/${segment}/send`);
      }
    }
    await homeserver.until(expected.length);
    assertEquals([...homeserver.requests].sort(), expected.sort());
  },
);
