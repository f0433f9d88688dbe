import { assert, assertEquals } from "@std/assert";
import type { RunningService } from "../support/service.ts";
import { getToken } from "./support/exchange.ts";
import { type HomeserverTap, startHomeserverTap } from "./support/homeserver_tap.ts";
import {
  type HomeserverModeWorld,
  type HomeserverSide,
  startHomeserverModeWorld,
} from "./support/homeserver_mode_world.ts";
import type { MatrixUser } from "./support/matrix_client.ts";
import { joinCall, type Participant } from "./support/participant.ts";
import { startRedis } from "./support/redis.ts";
import { startRoundRobin } from "./support/round_robin.ts";
import { createScenarios } from "./support/scenarios.ts";
import { listParticipants } from "./support/sfu_view.ts";
import {
  type CallRoom,
  getTokenThrough,
  identityOf,
  openCallRoom,
} from "./support/through_homeserver.ts";

// Who leaves the Matrix room leaves the call: two real Synapses that federate, real LiveKits, and
// services that are killed, have no webhooks, or are two.

const SWEEP = { MATRIXRTC_MEMBERSHIP_CHECK_SECONDS: "2" };
/** Only who comes is looked at: what is found is not the sweep's merit. */
const NO_SWEEP = { MATRIXRTC_MEMBERSHIP_CHECK_SECONDS: "86400" };

interface Place extends HomeserverModeWorld {
  readonly service: RunningService;
}

async function startPlace(): Promise<Place> {
  await using parts = new AsyncDisposableStack();
  const world = parts.use(await startHomeserverModeWorld());
  const service = parts.use(await world.a.startService(SWEEP));
  // Nobody of theirs is at its SFU; it asks for tokens of the other's.
  const serviceOfB = parts.use(await world.b.startService());
  world.b.front!.routeRest(serviceOfB.url);
  const all = parts.move();
  return { ...world, service, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

const scenario = createScenarios(startPlace, 4);

/** What a user does to the own or another's membership in a Matrix room. */
async function change(
  { synapse }: HomeserverSide,
  user: MatrixUser,
  what: "ban" | "kick" | "leave",
  roomId: string,
  target?: MatrixUser,
): Promise<void> {
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/${what}`;
  const body = target === undefined ? {} : { user_id: target.userId };
  await synapse.client.request(user, "POST", path, body);
}

/** A call with its host and one more, both there. */
interface Meeting extends AsyncDisposable, CallRoom {
  readonly guest: MatrixUser;
  readonly hosts: Participant;
  readonly guests: Participant;
}

/**
 * Brings a host and a guest into a call.
 *
 * @param name For their names.
 * @param side Where the host is from, and whose SFU it is.
 * @param of Where the guest is from.
 */
async function meet(
  name: string,
  side: HomeserverSide,
  service: { readonly url: string },
  of: HomeserverSide = side,
): Promise<Meeting> {
  await using parts = new AsyncDisposableStack();
  const room = await openCallRoom(side, `host-${name}`);
  side.lead(room.call, service);
  const guest = await room.enter(of, `guest-${name}`);
  const hosts = parts.use(await joinCall(await getTokenThrough(side, room.host, room.call)));
  const guests = parts.use(await joinCall(await getTokenThrough(of, guest, room.call, side)));
  const all = parts.move();
  return { ...room, guest, hosts, guests, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** The guest has been removed, the host has been left alone. */
async function assertOnlyGuestRemoved(
  { hub, sfu }: HomeserverSide,
  { guests, hosts, liveKitRoom }: Meeting,
): Promise<void> {
  assertEquals(await guests.disconnected(), "PARTICIPANT_REMOVED");
  const there = await listParticipants(sfu, liveKitRoom);
  assertEquals([...there.keys()], [hosts.identity]);
  const left = hub.seen(liveKitRoom).filter(({ event, identity }) =>
    event === "participant_left" && identity !== guests.identity
  );
  assertEquals(left, []);
}

for (const how of ["ban", "kick", "leave"] as const) {
  scenario(`${how}: out of the call within a sweep, and the others stay`, async (world) => {
    const { a, service } = world;
    await using meeting = await meet(how, a, service);
    const { call, enter, guest, guests, host, hosts } = meeting;
    await hosts.publishTone();
    assertEquals(await guests.hear(), hosts.identity);
    if (how === "leave") await change(a, guest, "leave", call.roomId);
    else await change(a, host, how, call.roomId, guest);
    await assertOnlyGuestRemoved(a, meeting);
    // The host's sound goes on.
    const late = await enter(a, `late-${how}`);
    await using listener = await joinCall(await getTokenThrough(a, late, call));
    assertEquals(await listener.hear(), hosts.identity);
  });
}

scenario("ban: a user of another homeserver is out of the call, too", async (world) => {
  const { a, b, service } = world;
  await using meeting = await meet("ban-federated", a, service, b);
  await change(a, meeting.host, "ban", meeting.call.roomId, meeting.guest);
  await assertOnlyGuestRemoved(a, meeting);
});

scenario(
  "the own homeserver's last user leaves the room: nobody is left in its call",
  async ({ a, b, service }) => {
    const { call, enter, host } = await openCallRoom(b, "host-at-b");
    a.lead(call, service);
    const guest = await enter(a, "guest-at-b");
    await using guests = await joinCall(await getTokenThrough(a, guest, call));
    await using hosts = await joinCall(await getTokenThrough(b, host, call, a));
    await change(a, guest, "leave", call.roomId);
    assertEquals(await guests.disconnected(), "PARTICIPANT_REMOVED");
    assertEquals(await hosts.disconnected(), "PARTICIPANT_REMOVED");
  },
);

scenario(
  "a token from just before the ban: out again as soon as the SFU tells of the join",
  async ({ a, b }) => {
    await using own = await a.withOwnSfu();
    await using service = await own.startService(NO_SWEEP);
    for (const  of of[own, b]) {
      const name = of === own ? "old-token" : "old-token-federated";
      const { call, enter, host, liveKitRoom } = await openCallRoom(own, `host-${name}`);
      own.lead(call, service);
      const guest = await enter(of, `guest-${name}`);
      const details = await getTokenThrough(of, guest, call, own);
      await using hosts = await joinCall(await getTokenThrough(own, host, call));
      await change(own, host, "ban", call.roomId, guest);

      const identity = identityOf(guest);
      // He may be out before his client knows that he is in.
      const guests = await joinCall(details).catch(() => undefined);
      await own.hub.waitFor(liveKitRoom, { event: "participant_joined", identity });
      await own.hub.waitFor(liveKitRoom, {
        event: "participant_left",
        identity,
        reason: "PARTICIPANT_REMOVED",
      });
      if (guests !== undefined) assertEquals(await guests.disconnected(), "PARTICIPANT_REMOVED");
      await guests?.[Symbol.asyncDispose]();
      const there = await listParticipants(own.sfu, liveKitRoom);
      assertEquals([...there.keys()], [hosts.identity]);
    }
  },
);

scenario(
  "the service is killed, and the ban comes before the next one starts: it needs nothing kept",
  async ({ a }) => {
    await using own = await a.withOwnSfu();
    await using first = await own.startService(NO_SWEEP);
    await using meeting = await meet("killed-service", own, first);
    // Otherwise the next one would be told of it, and look.
    await own.hub.waitFor(meeting.liveKitRoom, {
      event: "participant_joined",
      identity: meeting.guests.identity,
    });
    await first.kill();
    await change(own, meeting.host, "ban", meeting.call.roomId, meeting.guest);
    await using second = await own.startService(SWEEP);
    own.lead(meeting.call, second);
    await assertOnlyGuestRemoved(own, meeting);
  },
);

scenario("the SFU has no webhooks: the sweep alone finds who is banned", async ({ a, service }) => {
  await using meeting = await meet("no-webhooks", a, service);
  a.hub.lose(meeting.liveKitRoom);
  await change(a, meeting.host, "ban", meeting.call.roomId, meeting.guest);
  await assertOnlyGuestRemoved(a, meeting);
});

scenario("the homeserver does not answer: everybody stays until it does", async ({ a, ca }) => {
  await using own = await a.withOwnSfu();
  await using tap = startHomeserverTap(own.synapse, ca.pem);
  await using service = await own.startService({
    ...SWEEP,
    LIVEKIT_CS_API_URL_OVERRIDES: tap.override,
  });
  await using meeting = await meet("no-answer", own, service);
  const { call, guest, guests, host, hosts, liveKitRoom } = meeting;
  tap.setDown(true);
  await change(own, host, "ban", call.roomId, guest);
  // Two sweeps at least: each asks about both.
  await tap.waitForQuestions(call.roomId, tap.questions(call.roomId).length + 5);
  assertEquals(tap.questions(call.roomId).slice(-5), [502, 502, 502, 502, 502]);
  const there = await listParticipants(own.sfu, liveKitRoom);
  assertEquals([...there.keys()].sort(), [guests.identity, hosts.identity].sort());
  tap.setDown(false);
  await assertOnlyGuestRemoved(own, meeting);
});

scenario("OpenID tokens: who came with one is out of the call, too", async (world) => {
  const { a, b, service } = world;
  for (const  of of[a, b]) {
    const name = of === a ? "openid" : "openid-federated";
    const { call, enter, host, liveKitRoom } = await openCallRoom(a, `host-${name}`);
    a.lead(call, service);
    const guest = await enter(of, `guest-${name}`);
    await using hosts = await joinCall(await getTokenThrough(a, host, call));
    await using guests = await joinCall(
      await getToken(service.url, of.synapse.client, guest, call),
    );
    await change(a, host, "ban", call.roomId, guest);
    assertEquals(await guests.disconnected(), "PARTICIPANT_REMOVED");
    assertEquals([...(await listParticipants(a.sfu, liveKitRoom)).keys()], [hosts.identity]);
  }
});

scenario(
  "OpenID tokens: in a room that the own homeserver is not in, others stay",
  async ({ a, b, service }) => {
    const { call, enter, host, liveKitRoom } = await openCallRoom(b, "host-elsewhere");
    a.lead(call, service);
    // Full access makes the room on the SFU.
    const guest = await enter(a, "guest-elsewhere");
    await using guests = await joinCall(
      await getToken(service.url, a.synapse.client, guest, call),
    );
    await using hosts = await joinCall(await getToken(service.url, b.synapse.client, host, call));
    await change(a, guest, "leave", call.roomId);
    assertEquals(await guests.disconnected(), "PARTICIPANT_REMOVED");
    // Sweeps in which nobody but the host is there to be asked about.
    await a.tap!.waitForQuestions(call.roomId, a.tap!.questions(call.roomId).length + 3);
    const there = await listParticipants(a.sfu, liveKitRoom);
    assertEquals([...there.keys()], [hosts.identity]);
  },
);

/** Rooms fall to two replicas at random: with so many both have some, but for one run in 4000. */
const MOST_ROOMS = 13;

scenario(
  "two replicas share the rooms, and one takes over from one that is killed",
  async (world) => {
    const { a, ca } = world;
    await using own = await a.withOwnSfu();
    await using redis = await startRedis();
    await using parts = new AsyncDisposableStack();
    const replicas: { service: RunningService; tap: HomeserverTap }[] = [];
    for (let i = 0; i < 2; i++) {
      const tap = parts.use(startHomeserverTap(own.synapse, ca.pem));
      const service = parts.use(
        await own.startService({
          ...SWEEP,
          LIVEKIT_REDIS_URL: redis.url,
          LIVEKIT_CS_API_URL_OVERRIDES: tap.override,
        }),
      );
      replicas.push({ service, tap });
    }
    const balancer = parts.use(startRoundRobin(replicas.map(({ service }) => service.url)));

    /** Which replica looks after a room, when that one has swept some times. */
    async function ownerOf({ call: { roomId }, guests, liveKitRoom }: Meeting): Promise<number> {
      // Both ask because of who comes.
      const { identity } = guests;
      await own.hub.waitFor(liveKitRoom, { event: "participant_joined", identity });
      const asked = replicas.map(({ tap }) => tap.questions(roomId).length);
      await Promise.race(
        replicas.map(({ tap }, i) => tap.waitForQuestions(roomId, asked[i]! + 6)),
      );
      const more = replicas.map(({ tap }, i) => tap.questions(roomId).length - asked[i]!);
      // The webhook is answered before its question is.
      assert(Math.min(...more) <= 2, `Both replicas sweep the same room: ${more}`);
      return more[0]! > more[1]! ? 0 : 1;
    }
    const meetings: { meeting: Meeting; owner: number }[] = [];
    while (new Set(meetings.map(({ owner }) => owner)).size < 2) {
      assert(meetings.length < MOST_ROOMS, "All rooms fall to one of the replicas");
      const meeting = parts.use(await meet(`shared-${meetings.length}`, own, balancer));
      meetings.push({ meeting, owner: await ownerOf(meeting) });
    }
    const [first, last] = [meetings[0]!.meeting, meetings.at(-1)!];
    await change(own, first.host, "ban", first.call.roomId, first.guest);
    await assertOnlyGuestRemoved(own, first);

    const { meeting, owner } = last;
    await replicas[owner]!.service.kill();
    await change(own, meeting.host, "ban", meeting.call.roomId, meeting.guest);
    await assertOnlyGuestRemoved(own, meeting);
  },
);
