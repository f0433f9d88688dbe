import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Secret } from "../../lib/secret.ts";
import { SfuError } from "../../lib/sfu/twirp.ts";
import { createMemberSeal, MEMBER_ATTRIBUTE } from "../../lib/signing/member_seal.ts";
import type { LiveKitIdentity, LiveKitRoom } from "../../lib/signing/names.ts";
import { createWatchWorld, INTERVAL_MS, OWN, silence, user } from "./support/watch_world.ts";

const ALICE = user("alice");
const BOB = user("bob", { server: "other.example" });
const CAROL = user("carol", { server: "other.example", way: "openid" });

Deno.test("a sweep removes who has left, and nobody else", async () => {
  const world = await createWatchWorld();
  world.join(ALICE);
  world.join(ALICE, "@alice:example.org:PHONE");
  world.join(BOB);
  world.join(CAROL);
  world.join(user("dave"));
  world.joinWith(undefined, "bot", "call !room");
  world.joinWith({ own: "text" }, "egress", "another call");
  for (const who of [OWN, ALICE.userId, BOB.userId, CAROL.userId]) world.joined.add(`!room ${who}`);
  world.watch.start();
  await world.sweep();
  assertEquals(world.removed, ["@dave:example.org:DEVICE"]);
  world.joined.delete(`!room ${ALICE.userId}`);
  await world.sweep();
  assertEquals(world.removed.slice(1).toSorted(), [
    "@alice:example.org:DEVICE",
    "@alice:example.org:PHONE",
  ]);
  world.joined.delete(`!room ${BOB.userId}`);
  await world.sweep();
  assertEquals(world.removed.slice(3), ["@bob:other.example:DEVICE"]);
  assertEquals([...world.calls.get("call !room")!.keys()], ["@carol:other.example:DEVICE", "bot"]);
});

Deno.test("a sweep logs whom it removes by pseudonym, and never what is attached", async () => {
  const world = await createWatchWorld();
  const { attributes } = world.join(ALICE);
  world.watch.start();
  await world.sweep();
  const log = await world.logText();
  assertStringIncludes(log, "removed a participant whose user is not in the room any more");
  for (const part of ["server=example.org", "user=somebody"]) assertStringIncludes(log, part);
  assertStringIncludes(log, "call !room");
  for (
    const secret of [attributes[MEMBER_ATTRIBUTE]!, "@alice", "removed a participant.*removed"]
  ) {
    assertEquals(log.includes(secret), false);
  }
});

Deno.test("a sweep waits until a user of another server is missing a second time", async () => {
  const world = await createWatchWorld();
  world.joined.add(`!room ${OWN}`);
  world.join(CAROL);
  world.watch.start();
  await world.sweep();
  assertEquals(world.removed, []);
  // Federation has caught up; then it is about something new.
  world.joined.add(`!room ${CAROL.userId}`);
  await world.sweep();
  world.joined.delete(`!room ${CAROL.userId}`);
  await world.sweep();
  assertEquals(world.removed, []);
  // In between the homeserver says nothing, which changes nothing.
  world.beforeAnswer = silence;
  await world.sweep();
  assertEquals(world.removed, []);
  world.beforeAnswer = () => {};
  await world.sweep();
  assertEquals(world.removed, ["@carol:other.example:DEVICE"]);
});

Deno.test("a sweep asks about each user once and each room once, few at a time and anew", async () => {
  const world = await createWatchWorld();
  world.beforeAnswer = async () => {
    for (let turns = 0; turns < 10; turns++) await Promise.resolve();
  };
  for (let room = 0; room < 10; room++) {
    world.joined.add(`!room${room} ${OWN}`);
    for (let i = 0; i < 40; i++) {
      const server = i % 2 === 0 ? OWN : "other.example";
      const member = user(`user${i}`, { server, roomId: `!room${room}` });
      world.joined.add(`${member.roomId} ${member.userId}`);
      world.join(member, `${member.userId}:A`);
      world.join(member, `${member.userId}:B`);
    }
  }
  world.watch.start();
  await world.sweep();
  assertEquals([world.listRoomsCount, world.listed.length], [1, 10]);
  const asked = world.questions.map(({ roomId, member }) => `${roomId} ${JSON.stringify(member)}`);
  assertEquals([asked.length, new Set(asked).size], [410, 410]);
  assertEquals(world.mostInFlight, 16);
  assert(world.questions.every(({ anew, timeoutMs }) => anew && timeoutMs === 5_000));
  assertEquals(world.removed, []);
});

Deno.test("a sweep looks into the rooms that fall to this replica", async () => {
  const world = await createWatchWorld({ fallsToThis: (room) => room.endsWith("1") });
  for (const roomId of ["!room1", "!room2"]) world.join({ ...ALICE, roomId });
  world.watch.start();
  await world.sweep();
  assertEquals([world.listed, world.removed], [["call !room1"], ["@alice:example.org:DEVICE"]]);
});

for (
  const { name, attributes, identity = "@mallory:example.org:X", room = "call !room" } of [
    { name: "garbage", attributes: () => "garbage" },
    { name: "nothing", attributes: () => "" },
    { name: "a megabyte", attributes: () => "A".repeat(1 << 20) },
    {
      name: "another participant's seal",
      attributes: (seal: (identity: string, room: string) => string) =>
        seal("@alice:example.org:DEVICE", "call !room"),
    },
    {
      name: "a seal for another room",
      attributes: (seal: (identity: string, room: string) => string) =>
        seal("@mallory:example.org:X", "another call"),
    },
    {
      name: "a seal of another secret",
      attributes: () =>
        createMemberSeal([new Secret("another-secret-of-thirty-two-chars")]).seal(
          ALICE,
          "call !room" as LiveKitRoom,
          "@mallory:example.org:X" as LiveKitIdentity,
        ),
    },
  ] as {
    name: string;
    attributes(seal: (identity: string, room: string) => string): string;
    identity?: string;
    room?: string;
  }[]
) {
  Deno.test(`a sweep asks nothing about a participant with ${name}`, async () => {
    const world = await createWatchWorld();
    const seal = (identity: string, room: string) =>
      world.attributesOf(ALICE, room, identity)[MEMBER_ATTRIBUTE]!;
    world.joinWith({ [MEMBER_ATTRIBUTE]: attributes(seal) }, identity, room);
    world.watch.start();
    await world.sweep();
    world.watch.onJoined({
      room,
      identity,
      attributes: { [MEMBER_ATTRIBUTE]: attributes(seal) },
    });
    await world.settle();
    assertEquals([world.listed.length, world.questions, world.removed], [1, [], []]);
  });
}

Deno.test("a sweep is given up when the homeserver is down, and the next one is complete", async () => {
  const world = await createWatchWorld();
  for (let i = 0; i < 300; i++) world.join(user(`user${i}`));
  world.beforeAnswer = silence;
  world.watch.start();
  await world.sweep();
  // Those that are under way when it is given up have been asked.
  assert(world.questions.length < 40, String(world.questions.length));
  assertEquals(world.removed, []);
  world.beforeAnswer = () => {};
  await world.sweep();
  assertEquals(world.removed.length, 300);
});

Deno.test("a sweep goes on past rooms that the homeserver fails for", async () => {
  const world = await createWatchWorld({ random: createRandom() });
  for (let i = 0; i < 100; i++) {
    world.join(user(`user${i}`));
    world.join(user(`mallory${i}`, { roomId: "!bad" }));
  }
  world.beforeAnswer = ({ roomId }) => roomId === "!bad" ? silence() : undefined;
  world.watch.start();
  await world.sweep();
  assertEquals([world.removed.length, world.questions.length], [100, 200]);
});

Deno.test("a sweep gives a full room another chance after one failure", async () => {
  const world = await createWatchWorld();
  for (let i = 0; i < 50; i++) world.join({ ...BOB, userId: `@bob${i}:other.example` });
  let failures = 1;
  world.beforeAnswer = () => failures-- > 0 ? silence() : undefined;
  world.watch.start();
  await world.sweep();
  // Those who shared the failed question stay for now.
  assert(world.removed.length >= 50 - 16, String(world.removed.length));
  await world.sweep();
  assertEquals(world.removed.length, 50);
});

Deno.test("an SFU that is down is logged once, and again when it was up in between", async () => {
  const world = await createWatchWorld();
  const down = () => {
    throw new SfuError("tcp", "ListRooms at http://sfu: refused");
  };
  const warnings = async () => (await world.logText()).split("the SFU fails").length - 1;
  world.join(ALICE);
  world.watch.start();
  world.beforeSfu = down;
  await world.sweep();
  await world.sweep();
  assertEquals([await warnings(), world.questions], [1, []]);
  assertStringIncludes(await world.logText(), "ListRooms at http://sfu: refused");
  world.beforeSfu = () => {};
  await world.sweep();
  assertEquals(world.removed.length, 1);
  world.beforeSfu = down;
  await world.sweep();
  assertEquals(await warnings(), 2);
});

Deno.test("an SFU that lists but does not remove is logged once, and asked again", async () => {
  const world = await createWatchWorld();
  for (let i = 0; i < 50; i++) world.join(user(`user${i}`));
  world.beforeSfu = (method) => {
    if (method === "RemoveParticipant") throw new SfuError("answer", "no");
  };
  world.watch.start();
  await world.sweep();
  await world.sweep();
  assertEquals((await world.logText()).split("the SFU fails").length - 1, 1);
  assertEquals([world.removed, world.calls.get("call !room")!.size], [[], 50]);
  world.beforeSfu = () => {};
  await world.sweep();
  assertEquals(world.removed.length, 50);
});

Deno.test("a sweep passes over a room that the SFU fails for, but not over an SFU that fails", async () => {
  const world = await createWatchWorld({ random: createRandom() });
  for (let i = 0; i < 200; i++) world.join({ ...ALICE, roomId: `!room${i}` }, `alice${i}`);
  world.beforeSfu = (method, room) => {
    if (method === "ListParticipants" && room === "call !room7") throw new SfuError("http", "no");
  };
  world.watch.start();
  await world.sweep();
  assertEquals(world.removed.length, 199);
  for (let i = 0; i < 200; i++) world.join({ ...ALICE, roomId: `!room${i}` }, `alice${i}`);
  world.listed.length = 0;
  world.beforeSfu = (method) => {
    if (method === "ListParticipants") throw new SfuError("http", "no");
  };
  await world.sweep();
  assert(world.listed.length < 30, String(world.listed.length));
  assertEquals(world.removed.length, 199);
});

Deno.test("a mistake of the program ends neither the process nor the watch", async () => {
  const world = await createWatchWorld();
  world.join(ALICE);
  world.beforeAnswer = () => {
    throw new TypeError("a mistake");
  };
  world.watch.start();
  await world.sweep();
  assertStringIncludes(await world.logText(), "a mistake");
  world.beforeAnswer = () => {};
  await world.sweep();
  assertEquals(world.removed.length, 1);
});

/** A generator of the usual kind; good enough to mix with. */
function createRandom(): () => number {
  let state = 1;
  return () => (state = state * 16_807 % 2_147_483_647) / 2_147_483_647;
}

Deno.test("sweeps begin at the interval, and after a pause where one took longer", async () => {
  const world = await createWatchWorld();
  world.join(ALICE);
  world.joined.add(`!room ${ALICE.userId}`);
  const answered: (() => void)[] = [];
  world.beforeAnswer = () => new Promise<void>((resolve) => answered.push(resolve));
  const begin = async (pause: number) => {
    world.clock.advance(pause);
    await world.settle();
  };
  world.watch.start();
  assertEquals(world.clock.pending, [INTERVAL_MS / 2]);
  await begin(INTERVAL_MS / 2);
  assertEquals([answered.length, world.clock.pending], [1, []]);
  // It takes 20 s, so the next one is 40 s away.
  world.clock.advance(20_000);
  answered[0]!();
  await world.clock.waitForTimer(INTERVAL_MS - 20_000);
  await begin(INTERVAL_MS - 20_000);
  // It takes three intervals; none begins beside it, nor is one made up for.
  world.clock.advance(3 * INTERVAL_MS);
  assertEquals([world.listRoomsCount, answered.length], [2, 2]);
  answered[1]!();
  await world.clock.waitForTimer(1_000);
  assertEquals(world.clock.pending, [1_000]);
  world.watch.stop();
  assertEquals(world.clock.pending, []);
});

Deno.test("stop() in the middle of a sweep removes nobody any more", async () => {
  const world = await createWatchWorld();
  for (let i = 0; i < 100; i++) world.join(user(`user${i}`));
  const answered: (() => void)[] = [];
  world.beforeAnswer = () => new Promise<void>((resolve) => answered.push(resolve));
  world.watch.start();
  world.clock.advance(INTERVAL_MS / 2);
  await world.settle();
  assertEquals(answered.length, 16);
  world.watch.stop();
  for (const resolve of answered) resolve();
  await world.settle();
  assertEquals([world.questions.length, world.removed, world.clock.pending], [16, [], []]);
});

Deno.test("an interval of 0 watches nobody", async () => {
  const world = await createWatchWorld({ intervalMs: 0 });
  const participant = world.join(ALICE);
  world.watch.start();
  world.watch.onJoined(participant);
  await world.settle();
  assertEquals([world.clock.pending, world.questions, world.listRoomsCount], [[], [], 0]);
});
