import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { SfuError } from "../../lib/sfu/twirp.ts";
import { createWatchWorld, OWN, silence, user } from "./support/watch_world.ts";

const ALICE = user("alice");
const BOB = user("bob", { server: "other.example" });
const CAROL = user("carol", { server: "other.example", way: "openid" });

Deno.test("onJoined() removes at once who comes back after having left the room", async () => {
  const world = await createWatchWorld();
  const participant = world.join(ALICE);
  world.watch.onJoined(participant);
  // The webhook is answered before anything is asked or done.
  assertEquals(world.removed, []);
  await world.settle();
  assertEquals(world.removed, ["@alice:example.org:DEVICE"]);
  assertEquals(world.questions.map(({ member, anew }) => [member, anew]), [
    [{ userId: ALICE.userId }, true],
  ]);
  assertEquals([world.listRoomsCount, world.listed], [0, []]);
});

Deno.test("onJoined() lets stay who is in the room, and who is nobody of ours", async () => {
  const world = await createWatchWorld();
  for (const who of [ALICE.userId, BOB.userId, OWN]) world.joined.add(`!room ${who}`);
  world.watch.onJoined(world.join(ALICE));
  world.watch.onJoined(world.join(BOB));
  world.watch.onJoined({ room: "call !room", identity: "bot" });
  await world.settle();
  assertEquals([world.questions.length, world.removed], [3, []]);
});

Deno.test("onJoined() takes a remembered answer for the server, and none for the user", async () => {
  const world = await createWatchWorld();
  world.joined.add(`!room ${OWN}`);
  world.watch.onJoined(world.join(BOB));
  await world.settle();
  assertEquals(world.questions.map(({ member, anew }) => [member, anew]), [
    [{ serverName: OWN }, false],
    [{ userId: BOB.userId }, true],
  ]);
  assertEquals(world.removed, ["@bob:other.example:DEVICE"]);
});

Deno.test("onJoined() leaves to the sweeps of whom the homeserver may not have heard", async () => {
  const world = await createWatchWorld();
  world.joined.add(`!room ${OWN}`);
  world.watch.onJoined(world.join(CAROL));
  await world.settle();
  assertEquals([world.questions, world.removed], [[], []]);
});

Deno.test("onJoined() asks again after a second, and after five more, and then lets it be", async () => {
  const world = await createWatchWorld();
  world.beforeAnswer = silence;
  world.watch.onJoined(world.join(ALICE));
  await world.clock.waitForTimer(1_000);
  world.clock.advance(1_000);
  await world.clock.waitForTimer(5_000);
  world.clock.advance(5_000);
  await world.settle();
  assertEquals([world.questions.length, world.removed, world.clock.pending], [3, [], []]);

  const late = world.join(user("dave"));
  world.watch.onJoined(late);
  await world.clock.waitForTimer(1_000);
  world.beforeAnswer = () => {};
  world.clock.advance(1_000);
  await world.settle();
  assertEquals(world.removed, [late.identity]);
});

Deno.test("onJoined() asks few at a time, and keeps only so many waiting", async () => {
  const world = await createWatchWorld();
  const answered: (() => void)[] = [];
  world.beforeAnswer = () => new Promise<void>((resolve) => answered.push(resolve));
  const participant = world.join(ALICE);
  for (let i = 0; i < 10_100; i++) world.watch.onJoined(participant);
  await world.settle();
  assertEquals(answered.length, 16);
  world.beforeAnswer = () => {};
  for (const resolve of answered) resolve();
  const deadline = 1_000_000;
  for (let i = 0; i < deadline && world.questions.length < 10_000; i++) await Promise.resolve();
  await world.settle();
  assertEquals([world.questions.length, world.mostInFlight], [10_000, 16]);
  // There is room again.
  world.watch.onJoined(participant);
  await world.settle();
  assertEquals(world.questions.length, 10_001);
});

Deno.test("onJoined() logs an SFU that does not remove once", async () => {
  const world = await createWatchWorld();
  world.beforeSfu = () => {
    throw new SfuError("tcp", "RemoveParticipant at http://sfu: refused");
  };
  for (const name of ["alice", "bob", "carol"]) world.watch.onJoined(world.join(user(name)));
  await world.settle();
  const log = await world.logText();
  assertEquals([log.split("the SFU fails").length - 1, world.removed], [1, []]);
  assertStringIncludes(log, "RemoveParticipant at http://sfu: refused");
});

Deno.test("onJoined() bears a mistake of the program", async () => {
  const world = await createWatchWorld();
  world.beforeAnswer = () => {
    throw new TypeError("a mistake");
  };
  world.watch.onJoined(world.join(ALICE));
  await world.settle();
  assertStringIncludes(await world.logText(), "a mistake");

  world.beforeAnswer = () => {};
  world.beforeSfu = () => {
    throw new TypeError("another one");
  };
  world.watch.onJoined(world.join(ALICE));
  await world.settle();
  const log = await world.logText();
  assertStringIncludes(log, "a participant could not be checked");
  assertStringIncludes(log, "another one");
  assertEquals(log.includes("the SFU fails"), false);
});

Deno.test("stop() ends all that onJoined() has begun", async () => {
  const world = await createWatchWorld();
  const { promise, resolve } = Promise.withResolvers<void>();
  world.beforeAnswer = ({ member }) =>
    "userId" in member && member.userId === ALICE.userId ? promise : silence();
  world.watch.onJoined(world.join(ALICE));
  world.watch.onJoined(world.join(user("dave")));
  await world.clock.waitForTimer(1_000);
  world.watch.stop();
  assertEquals(world.clock.pending, []);
  resolve();
  await world.settle();
  world.watch.onJoined(world.join(user("erin")));
  await world.settle();
  assert(world.questions.every(({ member }) => JSON.stringify(member).indexOf("erin") === -1));
  assertEquals(world.removed, []);
});

Deno.test("stop() leaves those who wait for their turn unasked", async () => {
  const world = await createWatchWorld();
  const answered: (() => void)[] = [];
  world.beforeAnswer = () => new Promise<void>((resolve) => answered.push(resolve));
  for (let i = 0; i < 20; i++) world.watch.onJoined(world.join(user(`user${i}`)));
  await world.settle();
  world.watch.stop();
  for (const resolve of answered) resolve();
  await world.settle();
  assertEquals([world.questions.length, world.removed], [16, []]);
});
