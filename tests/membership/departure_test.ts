import { assertEquals, assertRejects } from "@std/assert";
import { UpstreamError } from "../../lib/matrix/errors.ts";
import { mayBeAhead, standingOf } from "../../lib/membership/departure.ts";
import type { CallMember } from "../../lib/signing/member_seal.ts";

const OWN = "example.org:8448";
const ALICE = "@alice:example.org:8448";
const BOB = "@bob:other.example";
/** Of a server whose name only looks like the own one. */
const EVE = "@eve:example.org";

function createHomeserver(answers: { user?: boolean | Error; server?: boolean | Error }) {
  const asked: string[] = [];
  const answer = (value: boolean | Error | undefined) => {
    if (value instanceof Error) return Promise.reject(value);
    return Promise.resolve(value ?? false);
  };
  return {
    asked,
    questions: {
      isUserJoined(roomId: string, userId: string) {
        asked.push(`${userId} in ${roomId}`);
        return answer(answers.user);
      },
      isOwnServerJoined(roomId: string) {
        asked.push(`server in ${roomId}`);
        return answer(answers.server);
      },
    },
  };
}

const FAILURE = new UpstreamError("http", "no answer");
const ASK_USER = "user";
const ASK_SERVER = "server";

for (
  const { userId, way, answers, standing, asks } of [
    {
      userId: ALICE,
      way: "homeserver",
      answers: { user: true },
      standing: "joined",
      asks: [ASK_USER],
    },
    { userId: ALICE, way: "homeserver", answers: {}, standing: "departed", asks: [ASK_USER] },
    { userId: ALICE, way: "openid", answers: { user: true }, standing: "joined", asks: [ASK_USER] },
    // The only user of the own server who was banned has taken the server out of the room.
    { userId: ALICE, way: "openid", answers: {}, standing: "departed", asks: [ASK_USER] },
    {
      userId: ALICE,
      way: "openid",
      answers: { user: FAILURE },
      standing: "unknown",
      asks: [ASK_USER],
    },
    {
      userId: BOB,
      way: "homeserver",
      answers: { server: true, user: true },
      standing: "joined",
      asks: [ASK_SERVER, ASK_USER],
    },
    {
      userId: BOB,
      way: "homeserver",
      answers: { server: true },
      standing: "departed",
      asks: [ASK_SERVER, ASK_USER],
    },
    {
      userId: BOB,
      way: "homeserver",
      answers: { user: true },
      standing: "departed",
      asks: [ASK_SERVER],
    },
    {
      userId: BOB,
      way: "homeserver",
      answers: { server: FAILURE },
      standing: "unknown",
      asks: [ASK_SERVER],
    },
    {
      userId: BOB,
      way: "homeserver",
      answers: { server: true, user: FAILURE },
      standing: "unknown",
      asks: [ASK_SERVER, ASK_USER],
    },
    {
      userId: BOB,
      way: "openid",
      answers: { server: true, user: true },
      standing: "joined",
      asks: [ASK_SERVER, ASK_USER],
    },
    {
      userId: BOB,
      way: "openid",
      answers: { server: true },
      standing: "departed",
      asks: [ASK_SERVER, ASK_USER],
    },
    { userId: BOB, way: "openid", answers: {}, standing: "joined", asks: [ASK_SERVER] },
    {
      userId: BOB,
      way: "openid",
      answers: { server: FAILURE },
      standing: "unknown",
      asks: [ASK_SERVER],
    },
    { userId: EVE, way: "openid", answers: {}, standing: "joined", asks: [ASK_SERVER] },
  ] as {
    userId: string;
    way: CallMember["way"];
    answers: Parameters<typeof createHomeserver>[0];
    standing: string;
    asks: string[];
  }[]
) {
  const said = Object.entries(answers).map(([whom, value]) => `${whom}: ${value}`).join(", ");
  Deno.test(`standingOf() ${userId} by ${way} is ${standing} with ${said || "nobody"} there`, async () => {
    const { asked, questions } = createHomeserver(answers);
    const member: CallMember = { userId, roomId: "!room", way };
    assertEquals(await standingOf(member, OWN, questions), standing);
    const whom = { [ASK_USER]: userId, [ASK_SERVER]: "server" };
    assertEquals(asked, asks.map((ask) => `${whom[ask as keyof typeof whom]} in !room`));
  });
}

Deno.test("standingOf() does not take a mistake of the program for silence", async () => {
  const { questions } = createHomeserver({ user: new TypeError("no room") });
  const member: CallMember = { userId: ALICE, roomId: "!room", way: "openid" };
  await assertRejects(() => standingOf(member, OWN, questions), TypeError);
});

Deno.test("mayBeAhead() is for those alone whom another server vouched for", () => {
  const is = (userId: string, way: CallMember["way"]) =>
    mayBeAhead({ userId, roomId: "!room", way }, OWN);
  assertEquals([is(BOB, "openid"), is(EVE, "openid")], [true, true]);
  assertEquals([is(BOB, "homeserver"), is(ALICE, "openid"), is(ALICE, "homeserver")], [
    false,
    false,
    false,
  ]);
});
