import { assertEquals, assertMatch } from "@std/assert";
import { AnswerLog } from "../../lib/homeserver/answer_log.ts";
import { createCachedMembership } from "../../lib/homeserver/cached_membership.ts";
import { RefusedError } from "../../lib/homeserver/refusal.ts";
import type { Member } from "../../lib/homeserver/room_membership.ts";
import { UpstreamError } from "../../lib/matrix/errors.ts";
import { settle } from "../delayed_leave/homeserver/virtual_time.ts";
import { failureOf, hopOf } from "../net/fixtures.ts";
import { captureLog } from "../support/captured_log.ts";
import { createManualClock } from "../support/manual_clock.ts";
import { startWorld } from "./fixtures.ts";

const ROOM = "!room:example.org";
const ALICE: Member = { userId: "@alice:example.org" };
const down = (hop: "tcp" | "http" = "tcp") => new UpstreamError(hop, "the homeserver is down");

/** Memberships whose questions are answered when the test says so. */
async function createWorld() {
  const clock = createManualClock();
  const { log, logText } = await captureLog({ level: "debug", format: "text", clock });
  const questions: {
    roomId: string;
    member: Member;
    deadline: number;
    answer(joined: boolean): Promise<void>;
    fail(error: Error): Promise<void>;
  }[] = [];
  const { isJoined, isStillJoined } = createCachedMembership({
    ask(roomId, member, deadline) {
      const { promise, resolve, reject } = Promise.withResolvers<boolean>();
      const answer = (joined: boolean) => (resolve(joined), settle());
      const fail = (error: Error) => (reject(error), settle());
      questions.push({ roomId, member, deadline, answer, fail });
      return promise;
    },
    clock,
    answerLog: new AnswerLog({ serverName: "own.example", clock, log }),
  });
  return {
    clock,
    questions,
    isJoined: (member = ALICE, timeoutMs = 4_000) => isJoined(ROOM, member, timeoutMs),
    isStillJoined: (member = ALICE, timeoutMs = 4_000) => isStillJoined(ROOM, member, timeoutMs),
    isJoinedIn: (roomId: string) => isJoined(roomId, ALICE, 4_000),
    async logged() {
      return (await logText()).split("\n").filter((line) => line !== "");
    },
  };
}

Deno.test("isJoined() remembers a yes for 30 s from the answer on", async () => {
  const { clock, questions, isJoined } = await createWorld();
  const first = isJoined();
  clock.advance(1_000);
  await questions[0]!.answer(true);
  assertEquals(await first, true);
  clock.advance(29_999);
  assertEquals([await isJoined(), questions.length], [true, 1]);
  clock.advance(1);
  const again = isJoined();
  assertEquals(questions.length, 2);
  await questions[1]!.answer(false);
  assertEquals(await again, false);
});

Deno.test("isJoined() remembers no no", async () => {
  const { questions, isJoined } = await createWorld();
  for (const joined of [false, false, true]) {
    const asking = isJoined();
    await questions.at(-1)!.answer(joined);
    assertEquals(await asking, joined);
  }
  assertEquals([await isJoined(), questions.length], [true, 3]);
});

Deno.test("isJoined() tells rooms, users and servers apart", async () => {
  const { questions, isJoined, isJoinedIn } = await createWorld();
  const all = [
    isJoined(),
    isJoined({ userId: "@bob:example.org" }),
    isJoined({ serverName: "example.org" }),
    isJoinedIn("!other:example.org"),
  ];
  assertEquals(questions.length, 4);
  for (const [i, { answer }] of questions.entries()) await answer(i % 2 === 0);
  assertEquals(await Promise.all(all), [true, false, true, false]);
  assertEquals(questions.map(({ deadline }) => deadline), [5_000, 5_000, 5_000, 5_000]);
});

Deno.test("isStillJoined() asks anew, and what it learns counts for all", async () => {
  const { clock, questions, isJoined, isStillJoined } = await createWorld();
  const first = isJoined();
  await questions[0]!.answer(true);
  await first;
  clock.advance(20_000);
  const still = isStillJoined();
  assertEquals(questions.length, 2);
  await questions[1]!.answer(true);
  assertEquals(await still, true);
  clock.advance(29_999);
  assertEquals([await isJoined(), questions.length], [true, 2]);
  const no = isStillJoined();
  await questions[2]!.answer(false);
  assertEquals(await no, false);
  const anew = isJoined();
  assertEquals(questions.length, 4);
  await questions[3]!.answer(true);
  await anew;
});

Deno.test("isStillJoined() takes nothing away when there is no answer", async () => {
  const { questions, isJoined, isStillJoined } = await createWorld();
  const first = isJoined();
  await questions[0]!.answer(true);
  await first;
  const failing = hopOf(isStillJoined());
  await questions[1]!.fail(down());
  assertEquals((await failing)[0], "tcp");
  assertEquals([await isJoined(), questions.length], [true, 2]);
});

Deno.test("a hundred who ask at once are one question", async () => {
  const { clock, questions, isJoined, isStillJoined } = await createWorld();
  const all = Array.from({ length: 100 }, (_, i) => i % 2 === 0 ? isJoined() : isStillJoined());
  assertEquals(questions.length, 1);
  await questions[0]!.answer(true);
  assertEquals(await Promise.all(all), Array(100).fill(true));
  assertEquals(clock.pending, []);
});

Deno.test("a hundred who ask at once fail at once, and the next one asks again", async () => {
  const { questions, isJoined } = await createWorld();
  const all = Array.from({ length: 100 }, () => hopOf(isJoined()));
  await questions[0]!.fail(down());
  for (const [hop] of await Promise.all(all)) assertEquals(hop, "tcp");
  const again = isJoined();
  assertEquals(questions.length, 2);
  await questions[1]!.answer(true);
  assertEquals(await again, true);
});

Deno.test("who has little time fails alone, and the answer still counts", async () => {
  const { clock, questions, isJoined } = await createWorld();
  const impatient = [hopOf(isJoined(ALICE, 1_000)), hopOf(isJoined(ALICE, 1_000))];
  const patient = isJoined(ALICE, 4_000);
  clock.advance(1_000);
  for (const [hop, message] of await Promise.all(impatient)) {
    assertEquals(hop, "http");
    assertMatch(message, /is_joined was not answered in 1 s/);
  }
  clock.advance(2_000);
  await questions[0]!.answer(true);
  assertEquals([await patient, questions.length, await isJoined()], [true, 1, true]);
});

Deno.test("who joins a question just before it runs out of time asks another one", async () => {
  const { clock, questions, isJoined } = await createWorld();
  const first = hopOf(isJoined(ALICE, 6_000));
  clock.advance(4_900);
  const later = [isJoined(ALICE, 4_000), isJoined(ALICE, 4_000)];
  await questions[0]!.fail(down("http"));
  assertEquals((await first)[0], "http");
  assertEquals(questions.length, 2);
  await questions[1]!.answer(true);
  assertEquals(await Promise.all(later), [true, true]);
});

Deno.test("who has joined a question in its first half does not ask another one", async () => {
  const { clock, questions, isJoined } = await createWorld();
  const all = [hopOf(isJoined(ALICE, 9_000))];
  clock.advance(2_000);
  all.push(hopOf(isJoined(ALICE, 9_000)));
  clock.advance(3_000);
  await questions[0]!.fail(down("http"));
  for (const [hop] of await Promise.all(all)) assertEquals(hop, "http");
  assertEquals(questions.length, 1);
});

Deno.test("who has begun a question does not ask another one", async () => {
  const { questions, isJoined } = await createWorld();
  const failing = hopOf(isJoined());
  await questions[0]!.fail(down("http"));
  assertEquals([(await failing)[0], questions.length], ["http", 1]);
});

Deno.test("who has joined two questions that ran out of time does not ask a third one", async () => {
  const { questions, isJoined } = await createWorld();
  const all = [1, 2, 3].map(() => hopOf(isJoined()));
  await questions[0]!.fail(down("http"));
  await questions[1]!.fail(down("http"));
  for (const [hop] of await Promise.all(all)) assertEquals(hop, "http");
  assertEquals(questions.length, 2);
});

Deno.test("the log tells once that there is no answer, and once that there is one again", async () => {
  const { clock, questions, isJoined, logged } = await createWorld();
  const ask = async (end: (question: typeof questions[0]) => Promise<void>) => {
    const asking = isJoined().catch(() => undefined);
    await end(questions.at(-1)!);
    await asking;
  };
  const fail = () => ask(({ fail }) => fail(down()));
  const answer = () => ask(({ answer }) => answer(false));
  await answer();
  assertEquals(await logged(), []);
  for (let i = 0; i < 5; i++) await fail();
  const [warning, ...more] = await logged();
  assertEquals(more, []);
  assertMatch(warning!, /warn.*does not tell who is in a room: the homeserver is down/i);
  clock.advance(60_000);
  await fail();
  assertEquals((await logged()).length, 1);
  assertMatch(warning!, /own\.example.*tcp|tcp.*own\.example/);
  await answer();
  await answer();
  assertEquals((await logged()).length, 2);
  assertMatch((await logged())[1]!, /info.*the homeserver answers again/i);
  // Coming and going, it is worth no more than a line a minute.
  await fail();
  await answer();
  assertEquals((await logged()).length, 4);
  for (let i = 0; i < 5; i++) {
    await fail();
    await answer();
  }
  assertEquals((await logged()).length, 4);
  clock.advance(60_000);
  await fail();
  assertEquals((await logged()).length, 5);
});

Deno.test("a question that the homeserver finds impossible is no outage", async () => {
  const { questions, isJoined, logged } = await createWorld();
  // Synapse's answer to names that are not ASCII.
  const impossible = failureOf(isJoined());
  await questions.at(-1)!.fail(new RefusedError("impossible", 400, "M_UNKNOWN"));
  assertEquals([(await impossible).hop, await logged()], ["answer", []]);
  const failing = failureOf(isJoined());
  await questions.at(-1)!.fail(new RefusedError("forbidden", 403, "M_FORBIDDEN"));
  assertEquals([(await failing).hop, (await logged()).length], ["answer", 1]);
});

Deno.test("over sockets, a storm is one request, and a hanging homeserver holds nobody for long", async () => {
  const rooms = { [ROOM]: { users: ["@alice:example.org"] } };
  await using world = await startWorld({ appService: { rooms } });
  const ask = (ms: number) => world.membership.isJoined(ROOM, ALICE, ms);
  const storm = Array.from({ length: 200 }, () => ask(4_000));
  assertEquals(new Set(await Promise.all(storm)), new Set([true]));
  assertEquals(world.appService.questions.length, 1);
  world.clock.advance(30_000);
  const { promise, resolve } = Promise.withResolvers<Response>();
  world.appService.settings.respond = () => promise;
  const failing = Promise.all([hopOf(ask(1_000)), hopOf(ask(60_000))]);
  await world.homeserver.received(2);
  world.clock.advance(5_000);
  assertEquals((await failing).map(([hop]) => hop), ["http", "http"]);
  assertEquals(world.homeserver.requests.length, 2);
  resolve(Response.json({ joined: true }));
});
