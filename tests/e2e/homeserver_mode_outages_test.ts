import { assert, assertEquals } from "@std/assert";
import type { RunningService } from "../support/service.ts";
import { assertSentOnce } from "./support/call_world.ts";
import {
  type HomeserverModeWorld,
  startHomeserverModeWorld,
} from "./support/homeserver_mode_world.ts";
import { joinCall } from "./support/participant.ts";
import { listParticipants } from "./support/sfu_view.ts";
import {
  announceIn,
  askHomeserver,
  callBody,
  getTokenThrough,
  openCallRoom,
} from "./support/through_homeserver.ts";

// Real Synapses and services that go in the middle of calls, and come back.

let world: HomeserverModeWorld;
let service: RunningService;
let serviceOfB: RunningService;

Deno.test.beforeAll(async () => {
  world = await startHomeserverModeWorld();
  const env = { MATRIXRTC_MEMBERSHIP_CHECK_SECONDS: "1", MATRIXRTC_DELEGATION: "on" };
  [service, serviceOfB] = await Promise.all([world.a.startService(env), world.b.startService()]);
  world.b.front!.routeRest(serviceOfB.url);
});

Deno.test.afterAll(async () => {
  // What did not start has told why already.
  await Promise.all([service?.stop(), serviceOfB?.stop()]);
  await world?.[Symbol.asyncDispose]();
});

Deno.test("Synapse is restarted in the middle of a call: nobody is removed, no leave is lost", async () => {
  const { a, b } = world;
  const { call, enter, host: alice, liveKitRoom } = await openCallRoom(a, "alice-restart");
  a.lead(call, service);
  const bob = await enter(b, "bob-restart");
  const carol = await enter(a, "carol-restart");
  const { body, membership } = await announceIn(a, alice, call);
  const speaker = await joinCall(await getTokenThrough(a, alice, call));
  await using listener = await joinCall(await getTokenThrough(b, bob, call, a));
  const answer = await askHomeserver(a, alice, "delegate_delayed_leave", body);
  assertEquals(answer.status, 200);
  await a.tap!.waitFor(membership.delayId, "restart");
  const before = await listParticipants(a.sfu, liveKitRoom);
  assertEquals(before.size, 2);

  await a.synapse.stop();
  // Two sweeps at least: each asks about both.
  await a.tap!.waitForQuestions(call.roomId, a.tap!.questions(call.roomId).length + 5);
  assertEquals(a.tap!.questions(call.roomId).slice(-4), [502, 502, 502, 502]);
  const ask = { ...callBody(a, bob, call), server_name: a.synapse.serverName };
  const refused = await askHomeserver(b, bob, "get_token", ask);
  assertEquals([refused.status, refused.body.errcode], [502, "M_UNKNOWN"]);
  // The other homeserver's own calls are none the worse for it.
  const atHome = await openCallRoom(b, "at-home");
  await getTokenThrough(b, atHome.host, atHome.call);

  await a.synapse.restart();
  const asked = a.tap!.questions(call.roomId).length;
  await a.tap!.waitForQuestions(call.roomId, asked + 5);
  assertEquals(a.tap!.questions(call.roomId).slice(-4), [200, 200, 200, 200]);
  const sids = (there: typeof before) => [...there.values()].map(({ sid }) => sid).sort();
  assertEquals(sids(await listParticipants(a.sfu, liveKitRoom)), sids(before));
  await speaker.publishTone();
  assertEquals(await listener.hear(), speaker.identity);

  await using late = await joinCall(await getTokenThrough(a, carol, call));
  assertEquals(await late.hear(), speaker.identity);
  await getTokenThrough(b, bob, call, a);
  assert(await membership.isThere());
  await speaker[Symbol.asyncDispose]();
  await membership.left(10_000);
  await assertSentOnce(a.tap!, membership, 502);
});

Deno.test("a user leaves while Synapse is down: the leave arrives when it is back", async () => {
  const { a } = world;
  const { call, host, liveKitRoom } = await openCallRoom(a, "leaves-meanwhile");
  a.lead(call, service);
  const { body, membership } = await announceIn(a, host, call);
  const participant = await joinCall(await getTokenThrough(a, host, call));
  await askHomeserver(a, host, "delegate_delayed_leave", body);
  await a.tap!.waitFor(membership.delayId, "restart");
  await a.synapse.stop();
  await participant[Symbol.asyncDispose]();
  await a.hub.waitFor(liveKitRoom, { event: "participant_left" });
  await a.synapse.restart();
  await membership.left(30_000);
  await assertSentOnce(a.tap!, membership, 502);
});
