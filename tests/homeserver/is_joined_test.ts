import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import type { Member } from "../../lib/homeserver/room_membership.ts";
import { isRoomId } from "../../lib/matrix/room_id.ts";
import { serverNameOfUserId } from "../../lib/matrix/user_id.ts";
import { failureOf, hopOf } from "../net/fixtures.ts";
import { answerAll, AS_TOKEN, pathsOf, startWorld, TIMEOUT_MS } from "./fixtures.ts";

const ROOM = "!room:example.org";
const ALICE: Member = { userId: "@alice:own.example" };
const UNSTABLE = "/_matrix/client/unstable/io.element.msc4502/rooms/";
const STABLE = "/_matrix/client/v3/rooms/";
const ROOMS = { [ROOM]: { users: ["@alice:own.example"], servers: ["other.example"] } };

const questions: [Member, boolean][] = [
  [ALICE, true],
  [{ userId: "@bob:own.example" }, false],
  [{ serverName: "other.example" }, true],
  [{ serverName: "own.example" }, true],
  [{ serverName: "third.example" }, false],
];
for (const [member, joined] of questions) {
  Deno.test(`isJoined() asks about ${JSON.stringify(member)}`, async () => {
    await using world = await startWorld({ appService: { rooms: ROOMS } });
    assertEquals(await world.membership.isJoined(ROOM, member, TIMEOUT_MS), joined);
    const [path] = pathsOf(world.homeserver);
    const [name, value] = "userId" in member
      ? ["mxid", member.userId]
      : ["server_name", member.serverName];
    const query = `${name}=${encodeURIComponent(value)}`;
    assertEquals(path, `${UNSTABLE}!room%3Aexample.org/is_joined?${query}`);
  });
}

Deno.test("isJoined() says no for rooms that the homeserver does not know", async () => {
  await using world = await startWorld();
  assertEquals(await world.membership.isJoined(ROOM, ALICE, TIMEOUT_MS), false);
});

const nasty: [string, string][] = [
  ["!../../..:example.org", "@../..:own.example"],
  ["!%2e%2e%2f:example.org", "@a%2fb%00:own.example"],
  ["!a/b?c=d#e&mxid=@f:g", "@a?b=c&server_name=d#e:own.example"],
  ["!\u{1f600}\u{1f468}\u200d\u{1f469}:example.org", "@\u{1f600}:own.example"],
  ["!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", "@alice:[::1]:8448"],
  [`!${"a".repeat(254)}`, `@${"a".repeat(242)}:own.example`],
  [`!${"\u00e9".repeat(127)}`, `@${"\u00e9".repeat(121)}:own.example`],
  ["! +:;=", "@+:own.example"],
  ["!.", "@.:own.example"],
];
for (const [roomId, userId] of nasty) {
  Deno.test(`isJoined() asks about ${userId} in ${roomId} and nothing else`, async () => {
    await using world = await startWorld({
      appService: { rooms: { [roomId]: { users: [userId] } } },
    });
    assertEquals(await world.membership.isJoined(roomId, { userId }, TIMEOUT_MS), true);
    assertSameQuestion(world, roomId, userId);
  });
}

/** The homeserver decoded what was asked, from a path of eight segments and one parameter. */
function assertSameQuestion(
  { appService, homeserver }: Awaited<ReturnType<typeof startWorld>>,
  roomId: string,
  userId: string,
) {
  const { roomId: askedRoom, member } = appService.questions.at(-1)!;
  assertEquals([askedRoom, member], [roomId, userId]);
  const url = new URL(`http://hs${homeserver.requests.at(-1)!.path}`);
  assertEquals(url.pathname.split("/").length, 8);
  assertEquals([...url.searchParams.keys()], ["mxid"]);
}

Deno.test("isJoined() is understood as it was meant, whatever the IDs are", async () => {
  await using world = await startWorld();
  const unit = fc.oneof(
    fc.string({ unit: "binary", maxLength: 60 }),
    fc.string({
      unit: fc.constantFrom("%", "/", ".", "?", "#", "&", "=", "+", "2", "e", "\\", ";"),
    }),
  );
  const roomIds = unit.map((text) => `!${text}`).filter(isRoomId);
  const userIds = unit.map((text) => `@${text.replaceAll(":", "")}:own.example`)
    .filter((id) => serverNameOfUserId(id) !== undefined);
  await fc.assert(
    fc.asyncProperty(roomIds, userIds, async (roomId, userId) => {
      world.appService.settings.rooms = { [roomId]: { users: [userId] } };
      assertEquals(await world.membership.isStillJoined(roomId, { userId }, TIMEOUT_MS), true);
      assertSameQuestion(world, roomId, userId);
    }),
    { numRuns: 200 },
  );
});

const impossible: [string, Member][] = [
  ["", ALICE],
  ["!", ALICE],
  ["..", ALICE],
  ["room", ALICE],
  ["#room:example.org", ALICE],
  ["!\ud800", ALICE],
  ["!a\n", ALICE],
  [`!${"a".repeat(255)}`, ALICE],
  [ROOM, { userId: "alice" }],
  [ROOM, { userId: "@a\ud800:b" }],
  [ROOM, { userId: "" }],
  [ROOM, { serverName: "" }],
  [ROOM, { serverName: "a/b" }],
];
for (const [roomId, member] of impossible) {
  Deno.test(`isJoined() does not ask about ${JSON.stringify([roomId, member])}`, async () => {
    await using world = await startWorld();
    const { isJoined, isStillJoined } = world.membership;
    await assertRejects(() => isJoined(roomId, member, TIMEOUT_MS), TypeError);
    await assertRejects(() => isStillJoined(roomId, member, TIMEOUT_MS), TypeError);
    assertEquals([world.homeserver.requests, await world.logged()], [[], []]);
  });
}

const garbage = [
  "{}",
  '{"joined":null}',
  '{"joined":"true"}',
  '{"joined":1}',
  '{"joined":[true]}',
  '[{"joined":true}]',
  "true",
  "<html>",
  "",
];
for (const body of garbage) {
  Deno.test(`isJoined() takes ${JSON.stringify(body)} for no answer`, async () => {
    await using world = await startWorld({ appService: { rooms: ROOMS } });
    answerAll(world.appService.settings, body);
    const [hop] = await hopOf(world.membership.isJoined(ROOM, ALICE, TIMEOUT_MS));
    assertEquals(hop, "answer");
    delete world.appService.settings.respond;
    assertEquals(await world.membership.isJoined(ROOM, ALICE, TIMEOUT_MS), true);
  });
}

Deno.test("isJoined() takes no yes that comes with another status", async () => {
  await using world = await startWorld();
  for (const status of [201, 202, 206, 400, 404, 500]) {
    answerAll(world.appService.settings, '{"joined":true,"errcode":"M_UNKNOWN"}', status);
    const [hop] = await hopOf(world.membership.isJoined(ROOM, ALICE, TIMEOUT_MS));
    assertEquals(hop, "answer");
  }
});

Deno.test("isJoined() says no where the homeserver takes the room's ID for none", async () => {
  await using world = await startWorld();
  answerAll(world.appService.settings, '{"joined":true,"errcode":"M_INVALID_PARAM"}', 400);
  assertEquals(await world.membership.isJoined(ROOM, ALICE, TIMEOUT_MS), false);
});

const refusals: { what: string; change: Parameters<typeof startWorld>[0]; remedy: string }[] = [
  {
    what: "a wrong token",
    change: { asToken: "another-token-nobody-may-see" },
    remedy: "HTTP 401 M_UNKNOWN_TOKEN: the homeserver does not know LIVEKIT_AS_TOKEN",
  },
  {
    what: "a missing scope",
    change: { appService: { hasScope: false } },
    remedy: "urn:matrix:client:io.element.msc4502:rooms:is_joined",
  },
  {
    what: "a missing flag",
    change: { appService: { joinedPaths: "none" } },
    remedy: "experimental_features.msc4502_enabled",
  },
];
for (const { what, change, remedy } of refusals) {
  Deno.test(`isJoined() has a remedy for ${what}`, async () => {
    await using world = await startWorld(change);
    const { hop, message } = await failureOf(world.membership.isJoined(ROOM, ALICE, TIMEOUT_MS));
    assertEquals(hop, "answer");
    assertStringIncludes(message, remedy);
    const [line, ...rest] = await world.logged();
    assertStringIncludes(line!, remedy);
    assertEquals(rest, []);
    for (const hidden of [AS_TOKEN, "another-token", "alice", "!room"]) {
      assert(!message.includes(hidden), message);
      assert(!line!.includes(hidden), line);
    }
  });
}

Deno.test("isJoined() finds the stable path, stays there, and finds back", async () => {
  await using world = await startWorld({ appService: { joinedPaths: "stable", rooms: ROOMS } });
  const { settings } = world.appService;
  const ask = async () => {
    world.homeserver.requests.length = 0;
    await world.membership.isStillJoined(ROOM, ALICE, TIMEOUT_MS);
    return pathsOf(world.homeserver).map((path) => path.startsWith(STABLE) ? "stable" : "unstable");
  };
  assertEquals(await ask(), ["unstable", "stable"]);
  assertEquals(await ask(), ["stable"]);
  settings.joinedPaths = "both";
  assertEquals(await ask(), ["stable"]);
  settings.joinedPaths = "unstable";
  assertEquals(await ask(), ["stable", "unstable"]);
  assertEquals(await ask(), ["unstable"]);
});
