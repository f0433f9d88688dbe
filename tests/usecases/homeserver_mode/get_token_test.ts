import { assertEquals, assertRejects } from "@std/assert";
import type { RemoteTokenAnswer } from "../../../lib/homeserver/remote_tokens.ts";
import { MatrixError, UpstreamError } from "../../../lib/matrix/errors.ts";
import type { HomeserverTokenRequest } from "../../../lib/matrix/homeserver_wire.ts";
import { hashedIdentity, liveKitRoom } from "../../../lib/signing/names.ts";
import { SfuError } from "../../../lib/sfu/twirp.ts";
import { federationGetToken } from "../../../lib/usecases/homeserver_mode/federation_get_token.ts";
import { getToken } from "../../../lib/usecases/homeserver_mode/get_token.ts";
import { type Behaviour, CALL, createWorld } from "./world.ts";

const DEADLINE = 15_000;
const LOCAL: HomeserverTokenRequest = {
  ...CALL,
  serverName: undefined,
  claimedDeviceId: undefined,
};
const REMOTE: HomeserverTokenRequest = { ...LOCAL, serverName: "other", url: "wss://sfu.other" };
const ROOM = liveKitRoom("!room:own", "m.call#ROOM");
const TROUBLE = new UpstreamError("http", "no answer");

/** Status and errcode of what the client is told, and the steps before. */
async function refusalOf(
  run: (deps: ReturnType<typeof createWorld>["deps"]) => Promise<unknown>,
  behaviour: Behaviour = {},
) {
  const { deps, steps } = createWorld(behaviour);
  const error = await assertRejects(() => run(deps), MatrixError);
  return { answer: [error.status, error.errcode as string], steps };
}

for (const serverName of [undefined, "own"]) {
  Deno.test(`getToken() lets a local user in, server_name ${serverName}`, async () => {
    const { deps, steps } = createWorld();
    const access = await getToken({ ...LOCAL, serverName }, "@alice:own", DEADLINE, deps);
    assertEquals(JSON.parse(access.joinToken), {
      room: ROOM,
      identity: hashedIdentity("@alice:own", "memberABC"),
      canPublish: true,
      member: { userId: "@alice:own", roomId: "!room:own", way: "homeserver" },
    });
    const { joinToken: _, ...rest } = access;
    assertEquals(rest, { url: undefined, room: ROOM, userId: "@alice:own", access: "local" });
    assertEquals(steps, ["resolve", "isJoined @alice:own", "issue", "ensureRoom"]);
  });
}

Deno.test("getToken() names the SFU to clients that did not", async () => {
  const { deps } = createWorld();
  const local = await getToken({ ...LOCAL, url: undefined }, "@alice:own", DEADLINE, deps);
  assertEquals(local.url, "wss://sfu.own");
  const remote = await getToken({ ...REMOTE, url: undefined }, "@alice:own", DEADLINE, deps);
  assertEquals(remote.url, "wss://sfu.other");
});

Deno.test("getToken() passes requests for another server's SFU on", async () => {
  const { deps, steps } = createWorld();
  const request = { ...REMOTE, claimedDeviceId: "DEVICE" };
  const access = await getToken(request, "@alice:own", DEADLINE, deps);
  assertEquals(access, {
    joinToken: "remote jwt",
    url: undefined,
    room: ROOM,
    userId: "@alice:own",
    access: "remote",
  });
  const { serverName: _, ...call } = request;
  const question = JSON.parse(steps.at(-1)!.slice("ask other ".length));
  assertEquals(question, { userId: "@alice:own", ...call });
  assertEquals(steps.slice(0, -1), ["resolve", "isJoined @alice:own", "isJoined other"]);
});

const CLIENT_REFUSALS: {
  what: string;
  request?: Partial<HomeserverTokenRequest>;
  userId?: string;
  behaviour?: Behaviour;
  answer: [status: number, errcode: string];
  steps: string[];
}[] = [
  {
    what: "another url",
    request: { url: "wss://sfu.own/" },
    answer: [400, "M_INVALID_PARAM"],
    steps: [],
  },
  {
    what: "a server_name that is none",
    request: { serverName: "https://other" },
    answer: [400, "M_INVALID_PARAM"],
    steps: [],
  },
  ...["alice", "@alice", "@:own", "@al ice:own", `@${"a".repeat(255)}:own`].map((userId) => ({
    what: `the user ID ${userId.slice(0, 20)}`,
    userId,
    answer: [400, "M_INVALID_PARAM"] as [number, string],
    steps: [],
  })),
  {
    what: "a user of another server",
    userId: "@bob:other",
    answer: [403, "M_FORBIDDEN"],
    steps: [],
  },
  {
    what: "users of a blocked server",
    behaviour: { blocked: ["own"] },
    answer: [403, "M_FORBIDDEN"],
    steps: [],
  },
  ...["..", "room:own", "#alias:own", `!${"a".repeat(255)}`].map((roomId) => ({
    what: `the room ID ${roomId.slice(0, 20)}`,
    request: { roomId },
    answer: [400, "M_INVALID_PARAM"] as [number, string],
    steps: [],
  })),
  {
    what: "a client API that is not found",
    behaviour: { resolveError: TROUBLE },
    answer: [400, "M_BAD_JSON"],
    steps: ["resolve"],
  },
  {
    what: "a user who is not in the room",
    behaviour: { joined: ["own", "other"] },
    answer: [403, "M_FORBIDDEN"],
    steps: ["resolve", "isJoined @alice:own"],
  },
  {
    what: "a homeserver that does not say",
    behaviour: { membershipError: TROUBLE },
    answer: [502, "M_UNKNOWN"],
    steps: ["resolve", "isJoined @alice:own"],
  },
  {
    what: "a room that the SFU does not create",
    behaviour: { roomError: new SfuError("http", "down") },
    answer: [500, "M_UNKNOWN"],
    steps: ["resolve", "isJoined @alice:own", "issue", "ensureRoom"],
  },
  {
    what: "a user who is not in the room of a remote server",
    request: REMOTE,
    behaviour: { joined: ["own", "other"] },
    answer: [403, "M_FORBIDDEN"],
    steps: ["resolve", "isJoined @alice:own"],
  },
  {
    what: "a remote server that is not in the room",
    request: REMOTE,
    behaviour: { joined: ["@alice:own", "own"] },
    answer: [403, "M_FORBIDDEN"],
    steps: ["resolve", "isJoined @alice:own", "isJoined other"],
  },
];

for (const { what, request, userId = "@alice:own", behaviour, answer, steps } of CLIENT_REFUSALS) {
  Deno.test(`getToken() answers ${answer.join(" ")} to ${what}`, async () => {
    const found = await refusalOf(
      (deps) => getToken({ ...LOCAL, ...request }, userId, DEADLINE, deps),
      behaviour,
    );
    assertEquals([found.answer, found.steps], [answer, steps]);
  });
}

const REMOTE_ANSWERS: [remote: RemoteTokenAnswer | Error, answer: [number, string]][] = [
  [{ kind: "forbidden" }, [403, "M_FORBIDDEN"]],
  [{ kind: "invalid-param" }, [400, "M_INVALID_PARAM"]],
  [TROUBLE, [502, "M_UNKNOWN"]],
];

for (const [remote, answer] of REMOTE_ANSWERS) {
  const what = remote instanceof Error ? "trouble" : remote.kind;
  Deno.test(`getToken() answers ${answer.join(" ")} to another server's ${what}`, async () => {
    const found = await refusalOf(
      (deps) => getToken(REMOTE, "@alice:own", DEADLINE, deps),
      { remote },
    );
    assertEquals(found.answer, answer);
  });
}

Deno.test("getToken() does not hide bugs behind answers", async () => {
  const bug = new TypeError("a bug");
  for (const behaviour of [{ membershipError: bug }, { resolveError: bug }, { remote: bug }]) {
    const { deps } = createWorld(behaviour);
    await assertRejects(() => getToken(REMOTE, "@alice:own", DEADLINE, deps), TypeError, "a bug");
  }
});

Deno.test("federationGetToken() lets another server's user listen", async () => {
  const { deps, steps } = createWorld();
  const request = { ...CALL, userId: "@bob:other" };
  const { joinToken, access } = await federationGetToken(request, "other", DEADLINE, deps);
  assertEquals([JSON.parse(joinToken), access], [
    {
      room: ROOM,
      identity: hashedIdentity("@bob:other", "memberABC"),
      canPublish: false,
      member: { userId: "@bob:other", roomId: "!room:own", way: "homeserver" },
    },
    "federated",
  ]);
  assertEquals(steps, ["isJoined own", "isJoined @bob:other", "issue", "ensureRoom"]);
});

const FEDERATION_REFUSALS: {
  what: string;
  request?: Partial<{ url: string; userId: string; roomId: string }>;
  behaviour?: Behaviour;
  answer: [status: number, errcode: string];
}[] = [
  { what: "no user ID", request: { userId: "bob" }, answer: [400, "M_INVALID_PARAM"] },
  {
    what: "a third server's user",
    request: { userId: "@eve:third" },
    answer: [403, "M_FORBIDDEN"],
  },
  {
    what: "a user of the own server",
    request: { userId: "@alice:own" },
    answer: [403, "M_FORBIDDEN"],
  },
  {
    what: "a user of a server whose name begins alike",
    request: { userId: "@eve:other:8448" },
    answer: [403, "M_FORBIDDEN"],
  },
  { what: "a blocked server", behaviour: { blocked: ["other"] }, answer: [403, "M_FORBIDDEN"] },
  { what: "no room ID", request: { roomId: "../x" }, answer: [400, "M_INVALID_PARAM"] },
  {
    what: "a room that the own server is not in",
    behaviour: { joined: ["@bob:other"] },
    answer: [403, "M_FORBIDDEN"],
  },
  {
    what: "a user who is not in the room",
    behaviour: { joined: ["own"] },
    answer: [403, "M_FORBIDDEN"],
  },
  {
    what: "a user who is not in the room, though the url is wrong too",
    request: { url: "wss://elsewhere" },
    behaviour: { joined: ["own"] },
    answer: [403, "M_FORBIDDEN"],
  },
  { what: "another url", request: { url: "wss://elsewhere" }, answer: [400, "M_INVALID_PARAM"] },
  {
    what: "a homeserver that does not say",
    behaviour: { membershipError: TROUBLE },
    answer: [502, "M_UNKNOWN"],
  },
  {
    what: "a room that the SFU does not create",
    behaviour: { roomError: new SfuError("http", "down") },
    answer: [500, "M_UNKNOWN"],
  },
];

for (const { what, request, behaviour, answer } of FEDERATION_REFUSALS) {
  Deno.test(`federationGetToken() answers ${answer.join(" ")} to ${what}`, async () => {
    const body = { ...CALL, userId: "@bob:other", ...request };
    const found = await refusalOf(
      (deps) => federationGetToken(body, "other", DEADLINE, deps),
      behaviour,
    );
    assertEquals(found.answer, answer);
    if (what.startsWith("a room that the own")) assertEquals(found.steps, ["isJoined own"]);
    const didIssue = found.steps.includes("issue");
    assertEquals(didIssue, behaviour?.roomError !== undefined);
  });
}
