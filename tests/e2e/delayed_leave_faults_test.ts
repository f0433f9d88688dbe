import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { runService } from "../support/service.ts";
import {
  announceUser,
  assertSentOnce,
  delegate,
  joinDelegated,
  startCallWorld,
} from "./support/call_world.ts";
import { getToken } from "./support/exchange.ts";
import { startGate } from "./support/gate.ts";
import { startHomeserverTap } from "./support/homeserver_tap.ts";
import { startLiveKit } from "./support/livekit.ts";
import { freePorts } from "./support/ports.ts";
import { startRedis } from "./support/redis.ts";
import { createScenarios } from "./support/scenarios.ts";
import { untilStored } from "./support/stored_jobs.ts";
import { startSynapse } from "./support/synapse.ts";

// What users and operators see of delegated leaves while a real server behind the service fails.

/** A webhook and the send, on a busy machine; far less than the leave would take by itself. */
const LEAVE_MS = 10_000;

const scenario = createScenarios(startCallWorld, 6);

scenario(
  "the SFU is killed with two people in the call: who comes back stays, who does not leaves",
  async (world) => {
    await using sfu = await startLiveKit({ webhookUrls: [world.hub.url] });
    await using service = await world.startService({
      LIVEKIT_URL: sfu.url,
      LIVEKIT_KEY: sfu.apiKey,
      LIVEKIT_SECRET: sfu.apiSecret,
      LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS: "2",
    });
    const stayer = await joinDelegated(world, service, "comes-back");
    const leaver = await joinDelegated(world, service, "stays-away", { with: stayer });
    for (const { membership } of [stayer, leaver]) {
      await world.tap.waitFor(membership.delayId, "restart");
    }
    await sfu.crash();
    await leaver.caller.kill();
    await sfu.restart();
    const returned = performance.now();

    // Only because the service makes the room again.
    await stayer.caller.reconnected;
    await leaver.membership.left(60_000);
    const sent = await assertSentOnce(world.tap, leaver.membership);
    assert(sent.at - returned > 20_000, "The leave was sent before clients had time to come back");
    assert(await stayer.membership.isThere());
    await stayer.caller.hangUp();
    await stayer.membership.left(LEAVE_MS);
    await assertSentOnce(world.tap, stayer.membership);
  },
);

scenario(
  "the SFU is away for over ten seconds: leaves are restarted, and who comes back stays",
  async (world) => {
    await using sfu = await startLiveKit({ webhookUrls: [world.hub.url] });
    await using service = await world.startService({
      LIVEKIT_URL: sfu.url,
      LIVEKIT_KEY: sfu.apiKey,
      LIVEKIT_SECRET: sfu.apiSecret,
    });
    const options = { delayMs: 10_000 };
    const stayer = await joinDelegated(world, service, "waits-for-the-sfu", options);
    const leaver = await joinDelegated(world, service, "does-not-wait", {
      ...options,
      with: stayer,
    });
    for (const { membership } of [stayer, leaver]) {
      await world.tap.waitFor(membership.delayId, "restart");
    }
    await sfu.crash();
    await leaver.caller.kill();
    // Every five seconds, whoever is there: nothing is known of them.
    for (const { membership } of [stayer, leaver]) {
      const before = world.tap.statuses(membership.delayId, "restart").length;
      await world.tap.waitFor(membership.delayId, "restart", before + 2);
    }
    await sfu.restart();
    const returned = performance.now();

    // LiveKit's own client may have given up by now. Element Call then comes with a new token.
    const { user, call, caller } = stayer;
    await caller.join(await getToken(service.url, world.near.client, user, call));
    await leaver.membership.left(60_000);
    const sent = await assertSentOnce(world.tap, leaver.membership);
    assert(sent.at - returned > 20_000, "The leave was sent before clients had time to come back");
    assert(await stayer.membership.isThere());
    await stayer.caller.hangUp();
    await stayer.membership.left(LEAVE_MS);
    await assertSentOnce(world.tap, stayer.membership);
  },
);

scenario(
  "Synapse is restarted: who is in the call stays, who left meanwhile is seen to leave",
  async (world) => {
    await using synapse = await startSynapse({ ca: world.ca, host: "localhost" });
    await using tap = startHomeserverTap(synapse, world.ca.pem);
    await using service = await world.startService({
      LIVEKIT_FULL_ACCESS_HOMESERVERS: synapse.serverName,
      LIVEKIT_CS_API_URL_OVERRIDES: tap.override,
    });
    const options = { homeserver: synapse, delayMs: 20_000 };
    const stayer = await joinDelegated(world, service, "stays", options);
    const leaver = await joinDelegated(world, service, "leaves", options);
    for (const { membership } of [stayer, leaver]) await tap.waitFor(membership.delayId, "restart");

    await synapse.stop();
    await leaver.caller.hangUp();
    await world.hub.waitFor(leaver.liveKitRoom, { event: "participant_left" });
    await synapse.restart();
    await leaver.membership.left(10_000);

    const before = tap.statuses(stayer.membership.delayId, "restart")
      .filter((status) => status === 200).length;
    await tap.waitFor(stayer.membership.delayId, "restart", before + 2, 40_000);
    assert(await stayer.membership.isThere());
    await stayer.caller.hangUp();
    await stayer.membership.left(LEAVE_MS);
    for (const { membership } of [stayer, leaver]) {
      await assertSentOnce(tap, membership, 502);
    }
  },
);

scenario(
  "Synapse limits calls as it does unless told: eight users stay, and leave together",
  async (world) => {
    await using synapse = await startSynapse({
      ca: world.ca,
      host: "localhost",
      limitsDelayedEvents: true,
    });
    await using tap = startHomeserverTap(synapse, world.ca.pem);
    await using service = await world.startService({
      LIVEKIT_FULL_ACCESS_HOMESERVERS: synapse.serverName,
      LIVEKIT_CS_API_URL_OVERRIDES: tap.override,
    });
    const caller = await world.startCaller();
    const options = { homeserver: synapse, delayMs: 30_000, caller };
    const first = await joinDelegated(world, service, "limited-0", options);
    const rest = [];
    for (let i = 1; i < 8; i++) {
      rest.push(await joinDelegated(world, service, `limited-${i}`, { ...options, with: first }));
    }
    const users = [first, ...rest];
    await Promise.all(
      users.map(({ membership }) => tap.waitFor(membership.delayId, "restart", 2, 40_000)),
    );
    for (const { membership } of users) assert(await membership.isThere());

    await caller.hangUp();
    await Promise.all(users.map(({ membership }) => membership.left(15_000)));
    for (const { membership } of users) {
      await assertSentOnce(tap, membership, 429);
    }
  },
);

for (const kind of ["refuses", "accepts and stays silent"] as const) {
  scenario(`Redis ${kind} at the start: the service ends with 1 and says why`, async (world) => {
    await using silent = startGate(0);
    const port = kind === "refuses" ? freePorts(1)[0]! : silent.port;
    const began = performance.now();
    const { code, stderr, stdout } = await runService({
      env: world.serviceEnv({ LIVEKIT_REDIS_URL: `redis://:of-no-value@127.0.0.1:${port}` }),
    });
    assertEquals(code, 1, stdout + stderr);
    assert(performance.now() - began < 10_000);
    assertStringIncludes(stdout + stderr, "Redis");
    assertStringIncludes(stdout + stderr, "LIVEKIT_REDIS_URL");
    assert(!(stdout + stderr).includes("of-no-value"));
  });
}

scenario("Redis is killed and comes back empty: nothing is lost", async (world) => {
  await using redis = await startRedis();
  const env = { LIVEKIT_REDIS_URL: redis.url };
  await using service = await world.startService(env);
  const busy = await joinDelegated(world, service, "survives-redis", { delayMs: 10_000 });
  // Has nothing to be restarted for an hour, so nothing but the outage makes it be written again.
  const idle = await joinDelegated(world, service, "idle-while-redis-dies");
  const leaver = await joinDelegated(world, service, "leaves-without-redis");
  for (const { membership } of [busy, idle, leaver]) {
    await world.tap.waitFor(membership.delayId, "restart");
  }

  await redis.stop();
  await leaver.caller.hangUp();
  await leaver.membership.left(LEAVE_MS);
  const before = world.tap.statuses(busy.membership.delayId, "restart").length;
  await world.tap.waitFor(busy.membership.delayId, "restart", before + 2);
  await redis.restart();
  await untilStored(redis, 2);

  // What Redis has now is enough to go on with, and who ends in peace keeps nobody waiting.
  await service.stop();
  await using again = await world.startService(env);
  for (const { liveKitRoom } of [busy, idle]) world.hub.route(liveKitRoom, again.url);
  const atRestart = world.tap.statuses(busy.membership.delayId, "restart").length;
  await world.tap.waitFor(busy.membership.delayId, "restart", atRestart + 2);
  for (const { caller, membership } of [busy, idle]) {
    assert(await membership.isThere());
    await caller.hangUp();
    await membership.left(LEAVE_MS);
  }
  for (const { membership } of [busy, idle, leaver]) {
    await assertSentOnce(world.tap, membership);
  }
});

scenario(
  "Redis is frozen for longer than the delay: who is in the call stays, who hangs up leaves",
  async (world) => {
    await using redis = await startRedis();
    await using service = await world.startService({ LIVEKIT_REDIS_URL: redis.url });
    const stayer = await joinDelegated(world, service, "stays-frozen", { delayMs: 10_000 });
    const leaver = await joinDelegated(world, service, "leaves-frozen", { delayMs: 10_000 });
    for (const { membership } of [stayer, leaver]) {
      await world.tap.waitFor(membership.delayId, "restart");
    }

    redis.kill("SIGSTOP");
    try {
      await leaver.caller.hangUp();
      await leaver.membership.left(15_000);
      // Every five seconds: fifteen in all.
      const before = world.tap.statuses(stayer.membership.delayId, "restart").length;
      await world.tap.waitFor(stayer.membership.delayId, "restart", before + 3);
    } finally {
      redis.kill("SIGCONT");
    }
    const before = world.tap.statuses(stayer.membership.delayId, "restart").length;
    await world.tap.waitFor(stayer.membership.delayId, "restart", before + 1);
    assert(await stayer.membership.isThere());
    await stayer.caller.hangUp();
    await stayer.membership.left(LEAVE_MS);
    await assertSentOnce(world.tap, stayer.membership);
    // The homeserver may have been first.
    const sent = world.tap.statuses(leaver.membership.delayId, "send");
    assert(sent.filter((status) => status === 200).length < 2);
  },
);

scenario(
  "Redis has no memory left: leaves that were taken over are looked after, new ones are refused",
  async (world) => {
    await using redis = await startRedis();
    await using service = await world.startService({ LIVEKIT_REDIS_URL: redis.url });
    const stayer = await joinDelegated(world, service, "stays-in-full-redis", { delayMs: 10_000 });
    const leaver = await joinDelegated(world, service, "leaves-full-redis");
    for (const { membership } of [stayer, leaver]) {
      await world.tap.waitFor(membership.delayId, "restart");
    }

    await redis.command("CONFIG", "SET", "maxmemory", "1");
    const newcomer = await announceUser(world.near, "comes-to-full-redis");
    // Clients that read this one try again without the delay fields, and get their token.
    await assertRejects(() => delegate(service.url, newcomer), Error, "400");
    await leaver.caller.hangUp();
    await leaver.membership.left(LEAVE_MS);
    const before = world.tap.statuses(stayer.membership.delayId, "restart").length;
    await world.tap.waitFor(stayer.membership.delayId, "restart", before + 2);
    assert(await stayer.membership.isThere());

    await redis.command("CONFIG", "SET", "maxmemory", "0");
    await delegate(service.url, newcomer);
    await stayer.caller.hangUp();
    await stayer.membership.left(LEAVE_MS);
    for (const { membership } of [stayer, leaver]) await assertSentOnce(world.tap, membership);
    // Only who has come is left.
    await untilStored(redis, 1);
  },
);
