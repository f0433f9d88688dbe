import { assert } from "@std/assert";
import type { RunningService } from "../support/service.ts";
import { assertSentOnce, joinDelegated, startCallWorld } from "./support/call_world.ts";
import { STORES } from "./support/kept_jobs.ts";
import { startRedis } from "./support/redis.ts";
import { startRoundRobin } from "./support/round_robin.ts";
import { createScenarios } from "./support/scenarios.ts";

// The service dies, and calls go on: on one machine with SQLite, and on several with Redis.

/** So short that a service which forgot the user would show: the homeserver sends the leave. */
const SHORT_DELAY_MS = 10_000;
/** A look at the SFU and the send, once the service knows; far less than without it. */
const LEAVE_MS = 10_000;
/** Another replica takes over within 15 s; a look at the SFU and the send follow. */
const TAKEOVER_MS = 20_000;

const scenario = createScenarios(startCallWorld, 6);

for (const { name, open } of STORES) {
  scenario(
    `the client leaves while the service is down (${name}): the leave comes with its return`,
    async (world) => {
      await using store = await open();
      await using service = await world.startService(store.env);
      const alice = await joinDelegated(world, service, `leaves-while-down-${name.toLowerCase()}`);
      await world.tap.waitFor(alice.membership.delayId, "restart");
      await service.kill();
      await alice.caller.hangUp();
      await world.hub.waitFor(alice.liveKitRoom, { event: "participant_left", status: 502 });
      // The SFU would try again; the service must find out by itself.
      world.hub.lose(alice.liveKitRoom);
      assert(await alice.membership.isThere());

      await using _again = await world.startService(store.env);
      await alice.membership.left(LEAVE_MS);
      await assertSentOnce(world.tap, alice.membership);
    },
  );

  scenario(
    `the service is killed and started again (${name}): who is in the call stays`,
    async (world) => {
      await using store = await open();
      await using service = await world.startService(store.env);
      const alice = await joinDelegated(world, service, `stays-${name.toLowerCase()}`, {
        delayMs: SHORT_DELAY_MS,
      });
      const { delayId } = alice.membership;
      await world.tap.waitFor(delayId, "restart");
      await service.kill();
      const before = world.tap.statuses(delayId, "restart").length;

      await using again = await world.startService(store.env);
      world.hub.route(alice.liveKitRoom, again.url);
      await world.tap.waitFor(delayId, "restart", before + 2);
      assert(await alice.membership.isThere());
      await alice.caller.hangUp();
      await alice.membership.left(LEAVE_MS);
      await assertSentOnce(world.tap, alice.membership);
    },
  );
}

scenario("one of two replicas is killed: every leave is sent, none twice", async (world) => {
  await using redis = await startRedis();
  const env = { LIVEKIT_REDIS_URL: redis.url };
  await using one = await world.startService(env);
  await using two = await world.startService(env);
  await using balancer = startRoundRobin([one.url, two.url]);
  const browser = await world.startCaller();
  const users = [];
  for (let i = 0; i < 6; i++) {
    users.push(await joinDelegated(world, balancer, `replicas-${i}`, { caller: browser }));
  }
  for (const { membership } of users) await world.tap.waitFor(membership.delayId, "restart");

  await one.kill();
  await browser.hangUp();
  await Promise.all(users.map(({ membership }) => membership.left(TAKEOVER_MS)));
  for (const { membership } of users) {
    await assertSentOnce(world.tap, membership);
  }
});

scenario("one of two replicas is killed: who is in the call stays", async (world) => {
  await using redis = await startRedis();
  const env = { LIVEKIT_REDIS_URL: redis.url };
  await using one = await world.startService(env);
  await using two = await world.startService(env);
  const alice = await joinDelegated(world, one, "owner-killed", { delayMs: 30_000 });
  const { delayId } = alice.membership;
  await world.tap.waitFor(delayId, "restart");
  await one.kill();
  world.hub.route(alice.liveKitRoom, two.url);

  const before = world.tap.statuses(delayId, "restart").length;
  await world.tap.waitFor(delayId, "restart", before + 1, 40_000);
  assert(await alice.membership.isThere());
  await alice.caller.hangUp();
  await alice.membership.left(LEAVE_MS);
  await assertSentOnce(world.tap, alice.membership);
});

scenario(
  "a webhook lands on the replica that does not run the job: the leave is sent within seconds",
  async (world) => {
    await using redis = await startRedis();
    const env = {
      LIVEKIT_REDIS_URL: redis.url,
      MATRIXRTC_DELEGATION: "on",
      LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS: "0",
    };
    await using one = await world.startService(env);
    await using two = await world.startService(env);
    const alice = await joinDelegated(world, one, "other-replica");
    await world.tap.waitFor(alice.membership.delayId, "restart");
    world.hub.route(alice.liveKitRoom, two.url);
    await alice.caller.hangUp();
    await alice.membership.left(LEAVE_MS);
    await assertSentOnce(world.tap, alice.membership);
  },
);

scenario(
  "a replica that was frozen wakes up after another has taken over: nothing is sent twice",
  async (world) => {
    await using redis = await startRedis();
    const env = { LIVEKIT_REDIS_URL: redis.url };
    await using frozen = await world.startService(env);
    await using other = await world.startService(env);
    const leaver = await joinDelegated(world, frozen, "leaves-while-frozen");
    const stayer = await joinDelegated(world, frozen, "stays-while-frozen", { delayMs: 30_000 });
    for (const { membership } of [leaver, stayer]) {
      await world.tap.waitFor(membership.delayId, "restart");
    }
    freeze(frozen);
    for (const { liveKitRoom } of [leaver, stayer]) world.hub.route(liveKitRoom, other.url);
    await leaver.caller.hangUp();
    await leaver.membership.left(TAKEOVER_MS);
    Deno.kill(frozen.pid, "SIGCONT");

    // The stayer's restarts go on, and come from one of the two: never two within half a delay.
    const before = world.tap.calls(stayer.membership.delayId, "restart").length;
    await world.tap.waitFor(stayer.membership.delayId, "restart", before + 2, 60_000);
    assert(await stayer.membership.isThere());
    const times = world.tap.calls(stayer.membership.delayId, "restart").slice(before).map((c) =>
      c.at
    );
    for (const [i, at] of times.entries()) {
      assert(i === 0 || at - times[i - 1]! > 7_000, `restarts at ${times}`);
    }
    await stayer.caller.hangUp();
    await stayer.membership.left(LEAVE_MS);
    for (const { membership } of [leaver, stayer]) {
      await assertSentOnce(world.tap, membership);
    }
  },
);

/** Stops a process as a suspended virtual machine would. */
function freeze({ pid }: RunningService): void {
  Deno.kill(pid, "SIGSTOP");
}
