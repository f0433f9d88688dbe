import { assert, assertEquals } from "@std/assert";
import type { HomeserverAction } from "../../lib/delayed_leave/homeserver_action.ts";
import type { ActionResult } from "../../lib/delayed_leave/homeserver_action.ts";
import type { Job, StoredJob } from "../../lib/delayed_leave/job.ts";
import { JobRunner } from "../../lib/delayed_leave/job_runner.ts";
import type { ParticipantEvent } from "../../lib/delayed_leave/participant_event.ts";
import type { Sighting } from "../../lib/delayed_leave/sfu_view.ts";
import { Secret } from "../../lib/secret.ts";
import { hashedIdentity, legacyIdentity, liveKitRoom } from "../../lib/signing/names.ts";
import { getLogger } from "@logtape/logtape";
import { createManualClock } from "../support/manual_clock.ts";

const ROOM = liveKitRoom("!room:example.org", "m.call#ROOM");
const IDENTITY = hashedIdentity("@alice:example.org", "DEVICE", "member");
const OTHER_IDENTITY = legacyIdentity("@alice:example.org", "DEVICE");
const DELAY_MS = 60_000;
/** With random() = 0.5. */
const RESTART_AFTER_MS = { least: DELAY_MS / 2, most: DELAY_MS * 0.85 };

const PRESENT: Sighting = { kind: "present", sid: "PA_1", identity: IDENTITY };
const ABSENT: Sighting = { kind: "absent" };
const SILENT: Sighting = { kind: "unknown", everAnswered: false };
const RESTING: Sighting = { kind: "unknown", everAnswered: true };

/** A job between an SFU and a homeserver that do as they are told. */
function createWorld(
  stored: Partial<StoredJob> & Partial<Pick<Job, "delayTimeoutMs" | "isThroughHomeserver">> = {},
) {
  const clock = createManualClock();
  const actions: HomeserverAction[] = [];
  const changes: StoredJob[] = [];
  const settings: { sighting: Sighting; result: ActionResult | Promise<ActionResult> } = {
    sighting: ABSENT,
    result: "done",
  };
  let looks = 0;
  let ends = 0;
  let isWatched = false;
  const runner = new JobRunner(
    {
      job: {
        room: ROOM,
        identity: IDENTITY,
        otherIdentity: OTHER_IDENTITY,
        delayId: new Secret("delay-id"),
        delayTimeoutMs: stored.delayTimeoutMs ?? DELAY_MS,
        serverName: "example.org",
        ...(stored.isThroughHomeserver && { isThroughHomeserver: true }),
      },
      restartedAt: stored.restartedAt ?? clock.now(),
      wasConnected: stored.wasConnected ?? false,
    },
    {
      clock,
      log: getLogger("tests"),
      random: () => 0.5,
      perform: (action) => {
        actions.push(action);
        return Promise.resolve(settings.result);
      },
      sfu: {
        look: (room, identities) => {
          assertEquals([room, identities], [ROOM, [IDENTITY, OTHER_IDENTITY]]);
          looks++;
          return Promise.resolve(settings.sighting);
        },
      },
      host: {
        onChanged: (runner) => changes.push(runner.stored),
        onWatched: (_runner, value) => isWatched = value,
        onDone: () => ends++,
      },
    },
  );
  return {
    clock,
    runner,
    settings,
    changes,
    get acts() {
      return actions.map(({ act }) => act);
    },
    actions,
    get looks() {
      return looks;
    },
    get ends() {
      return ends;
    },
    get isWatched() {
      return isWatched;
    },
    /** Moves time on, promises included. */
    async pass(ms: number) {
      await settle();
      for (let left = ms; left > 0;) {
        const next = Math.min(left, clock.pending[0] ?? left);
        clock.advance(Math.max(next, 0));
        left -= next;
        await settle();
      }
    },
    async start() {
      runner.start();
      await settle();
    },
    async tell(event: Partial<ParticipantEvent> & Pick<ParticipantEvent, "kind">) {
      const reason = event.reason ?? "UNKNOWN_REASON";
      runner.onEvent({ room: ROOM, identity: IDENTITY, ...event, reason });
      await settle();
    },
  };
}

/** Lets what is ready run. All fakes answer at once. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

Deno.test("JobRunner calls nothing before the participant has been seen", async () => {
  const world = createWorld();
  await world.start();
  await world.pass(DELAY_MS - 1);
  assertEquals([world.acts, world.isWatched, world.changes.length], [[], false, 0]);
  assert(world.looks > 3, String(world.looks));
});

Deno.test("JobRunner sends the leave of a participant who never came", async () => {
  const world = createWorld();
  await world.start();
  await world.pass(DELAY_MS);
  assertEquals([world.acts, world.runner.state, world.ends], [["send"], "Disconnected", 1]);
});

Deno.test("JobRunner waits an hour at most for a participant", async () => {
  const world = createWorld({ delayTimeoutMs: 86_400_000 });
  await world.start();
  await world.pass(3_599_999);
  assertEquals(world.acts, []);
  await world.pass(1);
  assertEquals(world.acts, ["send"]);
});

Deno.test("JobRunner takes a participant for connected on the last look", async () => {
  const world = createWorld();
  await world.start();
  await world.pass(DELAY_MS - 1);
  world.settings.sighting = PRESENT;
  await world.pass(1);
  assertEquals([world.acts, world.runner.state], [["restart"], "Connected"]);
});

Deno.test("JobRunner does not give up a participant while the SFU rests", async () => {
  const world = createWorld({ delayTimeoutMs: 86_400_000 });
  world.settings.sighting = RESTING;
  await world.start();
  await world.pass(2 * 3_600_000);
  assertEquals([world.acts, world.runner.state], [[], "WaitingForInitialConnect"]);
  world.settings.sighting = ABSENT;
  await world.pass(120_000);
  assertEquals(world.acts, ["send"]);
});

Deno.test("JobRunner restarts at once and again while the participant is there", async () => {
  const world = createWorld();
  await world.start();
  await world.tell({ kind: "joined", sid: "PA_1" });
  assertEquals([world.acts, world.isWatched], [["restart"], true]);
  await world.pass(RESTART_AFTER_MS.least - 1);
  assertEquals(world.acts.length, 1);
  await world.pass(RESTART_AFTER_MS.most - RESTART_AFTER_MS.least + 1);
  assertEquals(world.acts, ["restart", "restart"]);
  await world.pass(10 * DELAY_MS);
  assert(world.acts.length >= 12, String(world.acts.length));
  assertEquals(new Set(world.acts), new Set(["restart"]));
});

for (
  const [delayTimeoutMs, isTogether] of [[60_000, true], [3_600_000, true], [2_000, false]] as const
) {
  Deno.test(`JobRunner restarts ${isTogether ? "with others" : "on its own"} after ${delayTimeoutMs} ms`, async () => {
    const world = createWorld({ delayTimeoutMs });
    await world.start();
    await world.pass(77);
    await world.tell({ kind: "joined", sid: "PA_1" });
    assertEquals(Math.round(77 + world.clock.pending[0]!) % 200 === 0, isTogether);
  });
}

Deno.test("JobRunner has each restart tried until the event is due", async () => {
  const world = createWorld();
  await world.start();
  await world.pass(10_000);
  await world.tell({ kind: "joined", sid: "PA_1" });
  assertEquals(world.actions[0]?.deadline, 10_000 + DELAY_MS);
});

Deno.test("JobRunner finds who joined before the job was there", async () => {
  const world = createWorld();
  world.settings.sighting = PRESENT;
  await world.start();
  assertEquals([world.acts, world.runner.state, world.looks], [["restart"], "Connected", 1]);
});

Deno.test("JobRunner sends at once, without a look, when the participant hangs up", async () => {
  const world = createWorld();
  await world.start();
  await world.tell({ kind: "joined", sid: "PA_1" });
  const { looks } = world;
  await world.tell({ kind: "left", sid: "PA_1", reason: "CLIENT_INITIATED" });
  assertEquals([world.acts, world.looks, world.ends], [["restart", "send"], looks, 1]);
  assertEquals(world.isWatched, false);
});

for (const kind of ["left", "aborted"] as const) {
  Deno.test(`JobRunner believes a connection that ${kind} only after two looks`, async () => {
    const world = createWorld();
    await world.start();
    await world.tell({ kind: "joined", sid: "PA_1" });
    await world.tell({ kind, sid: "PA_1", reason: "CONNECTION_TIMEOUT" });
    assertEquals(world.acts, ["restart"]);
    await world.pass(500);
    assertEquals([world.acts, world.ends], [["restart", "send"], 1]);
  });
}

for (const reason of ["DUPLICATE_IDENTITY", "MIGRATION", "STATE_MISMATCH", "CONNECTION_TIMEOUT"]) {
  Deno.test(`JobRunner stays with who is back after ${reason}`, async () => {
    const world = createWorld();
    await world.start();
    await world.tell({ kind: "joined", sid: "PA_1" });
    await world.tell({ kind: "left", sid: "PA_1", reason });
    // 20 to 100 ms later, when the first look has found nobody.
    await world.pass(60);
    await world.tell({ kind: "joined", sid: "PA_2" });
    await world.pass(4 * DELAY_MS);
    assertEquals(new Set(world.acts), new Set(["restart"]));
    // The new connection is protected like the first.
    await world.tell({ kind: "left", sid: "PA_2", reason: "CLIENT_INITIATED" });
    assertEquals(world.acts.at(-1), "send");
  });

  Deno.test(`JobRunner finds who is back after ${reason} without a webhook`, async () => {
    const world = createWorld();
    await world.start();
    await world.tell({ kind: "joined", sid: "PA_1" });
    await world.tell({ kind: "left", sid: "PA_1", reason });
    world.settings.sighting = { ...PRESENT, sid: "PA_2" };
    await world.pass(4 * DELAY_MS);
    assertEquals(new Set(world.acts), new Set(["restart"]));
  });
}

Deno.test("JobRunner does not count a connection whose end it was told", async () => {
  const world = createWorld();
  await world.start();
  await world.tell({ kind: "joined", sid: "PA_1" });
  // The SFU's list lags behind its webhooks.
  world.settings.sighting = PRESENT;
  await world.tell({ kind: "left", sid: "PA_1", reason: "CONNECTION_TIMEOUT" });
  await world.pass(500);
  assertEquals(world.acts, ["restart", "send"]);
});

Deno.test("JobRunner ignores the late end of an earlier connection", async () => {
  const world = createWorld();
  await world.start();
  await world.tell({ kind: "joined", sid: "PA_1" });
  await world.tell({ kind: "joined", sid: "PA_2" });
  world.settings.sighting = { ...PRESENT, sid: "PA_2" };
  await world.tell({ kind: "left", sid: "PA_1", reason: "CLIENT_INITIATED" });
  await world.pass(4 * DELAY_MS);
  assertEquals(new Set(world.acts), new Set(["restart"]));
});

Deno.test("JobRunner leaves when hanging up overtakes joining", async () => {
  const world = createWorld();
  await world.start();
  await world.tell({ kind: "left", sid: "PA_1", reason: "CLIENT_INITIATED" });
  assertEquals(world.runner.state, "WaitingForInitialConnect");
  await world.tell({ kind: "joined", sid: "PA_1" });
  assertEquals([world.acts.at(-1), world.runner.state], ["send", "Disconnected"]);
});

Deno.test("JobRunner ignores hanging up while it waits", async () => {
  const world = createWorld();
  await world.start();
  await world.tell({ kind: "left", sid: "PA_0", reason: "CLIENT_INITIATED" });
  await world.pass(DELAY_MS - 1);
  assertEquals(world.acts, []);
  await world.pass(1);
  assertEquals(world.acts, ["send"]);
});

Deno.test("JobRunner goes on waiting when a first attempt is aborted", async () => {
  const world = createWorld();
  await world.start();
  await world.tell({ kind: "aborted", sid: "PA_1", reason: "SIGNAL_CLOSE" });
  assertEquals(world.runner.state, "WaitingForInitialConnect");
  await world.tell({ kind: "joined", sid: "PA_2" });
  await world.pass(2 * DELAY_MS);
  assertEquals(world.runner.state, "Connected");
  await world.tell({ kind: "left", sid: "PA_2", reason: "CLIENT_INITIATED" });
  assertEquals(world.acts.at(-1), "send");
});

Deno.test("JobRunner waits again when a look had found an attempt that is then aborted", async () => {
  const world = createWorld();
  world.settings.sighting = PRESENT;
  await world.start();
  assertEquals(world.runner.state, "Connected");
  world.settings.sighting = ABSENT;
  await world.tell({ kind: "aborted", sid: "PA_1", reason: "SIGNAL_CLOSE" });
  assertEquals([world.runner.state, world.isWatched], ["WaitingForInitialConnect", false]);
  await world.pass(10_000);
  await world.tell({ kind: "joined", sid: "PA_2" });
  assertEquals([world.acts, world.runner.state], [["restart", "restart"], "Connected"]);
  // The restart of the first attempt has left no timer behind.
  await world.pass(RESTART_AFTER_MS.most);
  assertEquals(world.acts.length, 3);
});

Deno.test("JobRunner gives up who was refused by the SFU before being seen", async () => {
  const world = createWorld();
  await world.start();
  await world.tell({ kind: "aborted", reason: "JOIN_FAILURE" });
  assertEquals([world.acts, world.runner.state, world.ends], [[], "Aborted", 1]);
  assertEquals(world.clock.pending, []);
});

Deno.test("JobRunner believes a webhook where the SFU has never answered a look", async () => {
  const world = createWorld();
  world.settings.sighting = SILENT;
  await world.start();
  await world.tell({ kind: "joined" });
  await world.tell({ kind: "aborted", reason: "SIGNAL_CLOSE" });
  // It may be that the SFU has only just been started.
  assertEquals(world.acts, ["restart"]);
  await world.pass(500);
  assertEquals([world.acts, world.ends], [["restart", "send"], 1]);
});

Deno.test("JobRunner takes nobody for gone because a connection made room for another", async () => {
  const world = createWorld();
  world.settings.sighting = SILENT;
  await world.start();
  await world.tell({ kind: "joined", sid: "PA_1" });
  await world.tell({ kind: "left", sid: "PA_1", reason: "DUPLICATE_IDENTITY" });
  await world.pass(4 * DELAY_MS);
  assertEquals(new Set(world.acts), new Set(["restart"]));
});

Deno.test("JobRunner keeps restarting until a resting SFU can be asked", async () => {
  const world = createWorld();
  await world.start();
  await world.tell({ kind: "joined", sid: "PA_1" });
  world.settings.sighting = RESTING;
  await world.tell({ kind: "left", sid: "PA_1", reason: "CONNECTION_TIMEOUT" });
  await world.pass(5 * DELAY_MS);
  assertEquals(new Set(world.acts), new Set(["restart"]));
  world.settings.sighting = ABSENT;
  await world.pass(16_000);
  assertEquals(world.acts.at(-1), "send");
});

Deno.test("JobRunner confirms what a poll has missed", async () => {
  const world = createWorld();
  await world.start();
  await world.tell({ kind: "joined", sid: "PA_1" });
  world.settings.sighting = PRESENT;
  world.runner.onAbsent();
  await world.pass(2 * DELAY_MS);
  assertEquals(new Set(world.acts), new Set(["restart"]));
  world.settings.sighting = ABSENT;
  world.runner.onAbsent();
  await world.pass(500);
  assertEquals(world.acts.at(-1), "send");
});

Deno.test("JobRunner asks again at once when a poll finds out what looks could not", async () => {
  const world = createWorld();
  await world.start();
  await world.tell({ kind: "joined", sid: "PA_1" });
  world.settings.sighting = RESTING;
  await world.tell({ kind: "left", sid: "PA_1", reason: "CONNECTION_TIMEOUT" });
  await world.pass(30_000);
  world.settings.sighting = ABSENT;
  world.runner.onAbsent();
  await world.pass(500);
  assertEquals(world.acts.at(-1), "send");
});

Deno.test("JobRunner is not kept from its second look by polls", async () => {
  const world = createWorld();
  await world.start();
  await world.tell({ kind: "joined", sid: "PA_1" });
  await world.tell({ kind: "left", sid: "PA_1", reason: "MIGRATION" });
  for (let polls = 0; polls < 3; polls++) {
    await world.pass(1_000);
    world.runner.onAbsent();
  }
  await world.pass(0);
  assertEquals(world.acts.at(-1), "send");
});

Deno.test("JobRunner takes up a job: who left meanwhile leaves now", async () => {
  const world = createWorld({ wasConnected: true });
  await world.start();
  assertEquals(world.acts, ["restart"]);
  await world.pass(500);
  assertEquals([world.acts, world.ends], [["restart", "send"], 1]);
});

Deno.test("JobRunner takes up a job: who is still there stays", async () => {
  const clock = createManualClock();
  const world = createWorld({ wasConnected: true, restartedAt: clock.now() - 50_000 });
  world.settings.sighting = PRESENT;
  await world.start();
  // Ten of sixty seconds are left for the first restart, and no more.
  assertEquals(world.actions[0]?.deadline, 10_000);
  await world.pass(4 * DELAY_MS);
  assertEquals(new Set(world.acts), new Set(["restart"]));
});

Deno.test("JobRunner takes up a job of a clock that has been set back", async () => {
  const clock = createManualClock();
  const world = createWorld({ wasConnected: true, restartedAt: clock.now() + 3_600_000 });
  world.settings.sighting = PRESENT;
  await world.start();
  assertEquals(world.actions[0]?.deadline, DELAY_MS);
});

for (const [result, keeps] of [["gone", 0], ["refused", 0], ["timed-out", 0]] as const) {
  Deno.test(`JobRunner ends without a leave when a restart is ${result}`, async () => {
    const world = createWorld();
    world.settings.result = result;
    await world.start();
    await world.tell({ kind: "joined", sid: "PA_1" });
    assertEquals([world.acts, world.runner.state, world.ends], [["restart"], "Aborted", 1]);
    assertEquals(world.clock.pending.length, keeps);
  });
}

for (const result of ["done", "gone", "refused", "timed-out", "unresolved"] as const) {
  Deno.test(`JobRunner is done once its leave is ${result}`, async () => {
    const world = createWorld();
    await world.start();
    await world.tell({ kind: "joined", sid: "PA_1" });
    world.settings.result = result;
    await world.tell({ kind: "left", sid: "PA_1", reason: "CLIENT_INITIATED" });
    assertEquals([world.acts, world.ends, world.clock.pending], [["restart", "send"], 1, []]);
    // Whatever comes late changes nothing.
    await world.tell({ kind: "joined", sid: "PA_2" });
    await world.tell({ kind: "left", sid: "PA_2", reason: "CLIENT_INITIATED" });
    world.runner.onAbsent();
    world.runner.onPresent("PA_3");
    assertEquals([world.acts.length, world.ends], [2, 1]);
  });
}

Deno.test("JobRunner keeps what it needs to go on after a crash", async () => {
  const world = createWorld();
  const startedAt = world.clock.now();
  await world.start();
  await world.pass(5_000);
  await world.tell({ kind: "joined", sid: "PA_1" });
  const last = world.changes.at(-1);
  assertEquals([last?.wasConnected, last?.restartedAt], [true, startedAt + 5_000]);
  await world.pass(DELAY_MS);
  assert(world.changes.at(-1)!.restartedAt > startedAt + 5_000);
});

for (const state of ["waiting", "connected"] as const) {
  Deno.test(`JobRunner is silent once replaced while ${state}`, async () => {
    const world = createWorld();
    await world.start();
    if (state === "connected") await world.tell({ kind: "joined", sid: "PA_1" });
    const { length } = world.acts;
    world.runner.replace();
    await world.tell({ kind: "left", sid: "PA_1", reason: "CLIENT_INITIATED" });
    await world.pass(4 * DELAY_MS);
    assertEquals([world.acts.length, world.ends, world.isWatched], [length, 0, false]);
    assertEquals(world.clock.pending, []);
    assert(world.actions.every(({ isWanted }) => !isWanted()));
  });

  Deno.test(`JobRunner stands still once stopped while ${state}`, async () => {
    const world = createWorld();
    await world.start();
    if (state === "connected") await world.tell({ kind: "joined", sid: "PA_1" });
    const { length } = world.acts;
    world.runner.stop();
    await world.tell({ kind: "left", sid: "PA_1", reason: "CLIENT_INITIATED" });
    await world.pass(4 * DELAY_MS);
    assertEquals([world.acts.length, world.ends, world.clock.pending], [length, 0, []]);
    assert(world.actions.every(({ isWanted }) => !isWanted()));
  });
}

// --- Jobs through the homeserver

/** How long they wait for a participant. */
const WAIT_MS = 10 * 60_000;
const HOUR_MS = 3_600_000;

/** The same world, with a job through the homeserver. */
function createProxiedWorld(stored: Parameters<typeof createWorld>[0] = {}) {
  return createWorld({ ...stored, isThroughHomeserver: true });
}

/** An answer that comes when the test says so. */
function hold(world: ReturnType<typeof createWorld>) {
  const { promise, resolve } = Promise.withResolvers<ActionResult>();
  world.settings.result = promise;
  return async (result: ActionResult) => {
    resolve(result);
    await settle();
  };
}

Deno.test("JobRunner keeps an event through the homeserver alive while it waits", async () => {
  const world = createProxiedWorld();
  const startedAt = world.clock.now();
  await world.start();
  assertEquals([world.acts, world.actions[0]?.deadline], [["restart"], DELAY_MS]);
  await world.pass(RESTART_AFTER_MS.least - 1);
  assertEquals(world.acts, ["restart"]);
  await world.pass(RESTART_AFTER_MS.most - RESTART_AFTER_MS.least + 1);
  assertEquals(world.acts, ["restart", "restart"]);
  await world.pass(WAIT_MS - RESTART_AFTER_MS.most - 1);
  assert(world.acts.length >= 12, String(world.acts.length));
  assertEquals(new Set(world.acts), new Set(["restart"]));
  // Each was tried until the event would have been due, and is kept.
  const restartedAt = world.changes.map((stored) => stored.restartedAt - startedAt);
  assertEquals(
    world.actions.slice(1).map(({ deadline }) => deadline),
    restartedAt.slice(0, -1).map((at) => at + DELAY_MS),
  );
  assertEquals(world.changes.some(({ wasConnected }) => wasConnected), false);
  assertEquals([world.isWatched, world.runner.state], [false, "WaitingForInitialConnect"]);
});

for (const delayTimeoutMs of [1_000, DELAY_MS, 8 * HOUR_MS]) {
  Deno.test(`JobRunner waits ten minutes with a delay of ${delayTimeoutMs} ms through the homeserver`, async () => {
    const world = createProxiedWorld({ delayTimeoutMs });
    await world.start();
    await world.pass(WAIT_MS - 1);
    assertEquals(new Set(world.acts), new Set(["restart"]));
    await world.pass(1);
    assertEquals([world.acts.at(-1), world.runner.state, world.ends], ["send", "Disconnected", 1]);
    assertEquals(world.acts.filter((act) => act === "send").length, 1);
    assertEquals(world.clock.pending, []);
  });
}

Deno.test("JobRunner gives an SFU that rests an hour, and keeps the event alive meanwhile", async () => {
  const world = createProxiedWorld();
  world.settings.sighting = RESTING;
  await world.start();
  await world.pass(HOUR_MS - 1);
  assertEquals(new Set(world.acts), new Set(["restart"]));
  assert(world.acts.length >= 72, String(world.acts.length));
  await world.pass(60_001);
  assertEquals([world.acts.at(-1), world.ends, world.clock.pending], ["send", 1, []]);
});

Deno.test("JobRunner connects who comes back with the SFU after ten minutes", async () => {
  const world = createProxiedWorld();
  world.settings.sighting = RESTING;
  await world.start();
  await world.pass(2 * WAIT_MS);
  world.settings.sighting = PRESENT;
  await world.pass(60_000);
  assertEquals(world.runner.state, "Connected");
  assertEquals(new Set(world.acts), new Set(["restart"]));
});

Deno.test("JobRunner restarts at once when the awaited participant comes, and goes on from there", async () => {
  const world = createProxiedWorld();
  await world.start();
  await world.pass(10_000);
  await world.tell({ kind: "joined", sid: "PA_1" });
  assertEquals([world.acts, world.runner.state], [["restart", "restart"], "Connected"]);
  // The event lives from its last restart on, not from now on.
  assertEquals(world.actions[1]?.deadline, DELAY_MS);
  // The timer of the waiting is off.
  await world.pass(RESTART_AFTER_MS.least - 1);
  assertEquals(world.acts.length, 2);
  await world.pass(RESTART_AFTER_MS.most - RESTART_AFTER_MS.least + 1);
  assertEquals(world.acts.length, 3);
  await world.tell({ kind: "left", sid: "PA_1", reason: "CLIENT_INITIATED" });
  assertEquals([world.acts.at(-1), world.clock.pending], ["send", []]);
});

for (const late of ["done", "gone", "refused", "timed-out", "unresolved", "cancelled"] as const) {
  Deno.test(`JobRunner drops a restart that is ${late} after the participant has come`, async () => {
    const world = createProxiedWorld();
    const answer = hold(world);
    await world.start();
    world.settings.result = "done";
    await world.tell({ kind: "joined", sid: "PA_1" });
    assertEquals(world.actions.map(({ isWanted }) => isWanted()), [false, true]);
    const { length } = world.changes;
    const timers = world.clock.pending.length;
    await answer(late);
    assertEquals([world.runner.state, world.ends], ["Connected", 0]);
    assertEquals([world.changes.length, world.clock.pending.length], [length, timers]);
  });

  Deno.test(`JobRunner drops a restart that is ${late} after the participant has come and gone`, async () => {
    const world = createProxiedWorld();
    const answer = hold(world);
    await world.start();
    world.settings.result = "done";
    await world.tell({ kind: "joined", sid: "PA_1" });
    await world.tell({ kind: "left", sid: "PA_1", reason: "CLIENT_INITIATED" });
    await answer(late);
    await world.pass(2 * DELAY_MS);
    assertEquals(world.acts, ["restart", "restart", "send"]);
    assertEquals([world.runner.state, world.ends, world.clock.pending], ["Disconnected", 1, []]);
  });

  for (const end of ["replace", "stop"] as const) {
    Deno.test(`JobRunner drops a restart that is ${late} after ${end}()`, async () => {
      const world = createProxiedWorld();
      const answer = hold(world);
      await world.start();
      world.runner[end]();
      assertEquals([world.actions[0]?.isWanted(), world.clock.pending], [false, []]);
      await answer(late);
      await world.pass(2 * WAIT_MS);
      assertEquals([world.acts, world.changes.length, world.ends], [["restart"], 0, 0]);
      assertEquals(world.clock.pending, []);
    });
  }
}

for (const result of ["gone", "refused", "timed-out", "unresolved"] as const) {
  Deno.test(`JobRunner ends without a leave when a restart is ${result} while it waits`, async () => {
    const world = createProxiedWorld();
    await world.start();
    world.settings.result = result;
    await world.pass(RESTART_AFTER_MS.most);
    assertEquals([world.acts, world.runner.state], [["restart", "restart"], "Aborted"]);
    assertEquals([world.ends, world.clock.pending], [1, []]);
    const { looks } = world;
    await world.tell({ kind: "joined", sid: "PA_1" });
    await world.pass(2 * WAIT_MS);
    assertEquals([world.acts.length, world.ends, world.looks], [2, 1, looks]);
  });
}

Deno.test("JobRunner is not told of a look that ends after the event is gone", async () => {
  const world = createProxiedWorld();
  world.settings.sighting = PRESENT;
  world.settings.result = "gone";
  await world.start();
  await world.pass(WAIT_MS);
  assertEquals(world.ends, 1);
  assertEquals(new Set(world.acts), new Set(["restart"]));
  assertEquals(world.clock.pending, []);
});

Deno.test("JobRunner sends once when a restart is under way at the last look", async () => {
  const world = createProxiedWorld({ delayTimeoutMs: 8 * HOUR_MS });
  const answer = hold(world);
  await world.start();
  await world.pass(WAIT_MS);
  assertEquals(world.actions.map(({ isWanted }) => isWanted()), [false, true]);
  await answer("done");
  await world.pass(WAIT_MS);
  assertEquals([world.acts, world.ends, world.clock.pending], [["restart", "send"], 1, []]);
});

Deno.test("JobRunner takes up a waiting job through the homeserver with a restart at once", async () => {
  const clock = createManualClock();
  const world = createProxiedWorld({ restartedAt: clock.now() - 50_000 });
  await world.start();
  assertEquals([world.acts, world.actions[0]?.deadline], [["restart"], 10_000]);
  // It has its ten minutes from now on.
  await world.pass(WAIT_MS - 1);
  assertEquals(new Set(world.acts), new Set(["restart"]));
  await world.pass(1);
  assertEquals(world.acts.at(-1), "send");
});

Deno.test("JobRunner does not take up a waiting job through the homeserver that is due", async () => {
  const clock = createManualClock();
  const world = createProxiedWorld({ restartedAt: clock.now() - DELAY_MS });
  await world.start();
  await world.pass(WAIT_MS);
  assertEquals([world.acts, world.runner.state, world.ends], [[], "Aborted", 1]);
  assertEquals(world.clock.pending, []);
});

Deno.test("JobRunner keeps restarting when an attempt that a look had found is aborted", async () => {
  const world = createProxiedWorld();
  world.settings.sighting = PRESENT;
  await world.start();
  assertEquals([world.acts, world.runner.state], [["restart", "restart"], "Connected"]);
  world.settings.sighting = ABSENT;
  await world.pass(10_000);
  await world.tell({ kind: "aborted", sid: "PA_1", reason: "SIGNAL_CLOSE" });
  assertEquals([world.runner.state, world.acts.length], ["WaitingForInitialConnect", 3]);
  assertEquals(world.isWatched, false);
  await world.pass(WAIT_MS - 1);
  assert(world.acts.length >= 14, String(world.acts.length));
  assertEquals(new Set(world.acts), new Set(["restart"]));
  await world.pass(1);
  assertEquals([world.acts.at(-1), world.ends], ["send", 1]);
});

Deno.test("JobRunner leaves an event alone whose client the SFU has refused", async () => {
  const world = createProxiedWorld();
  await world.start();
  await world.tell({ kind: "aborted", reason: "JOIN_FAILURE" });
  await world.pass(2 * WAIT_MS);
  assertEquals([world.acts, world.runner.state, world.ends], [["restart"], "Aborted", 1]);
  assertEquals(world.clock.pending, []);
});

Deno.test("JobRunner leaves when hanging up overtakes joining through the homeserver", async () => {
  const world = createProxiedWorld();
  await world.start();
  await world.tell({ kind: "left", sid: "PA_1", reason: "CLIENT_INITIATED" });
  assertEquals(world.runner.state, "WaitingForInitialConnect");
  await world.tell({ kind: "joined", sid: "PA_1" });
  assertEquals([world.acts.at(-1), world.runner.state, world.ends], ["send", "Disconnected", 1]);
});
