import { assertEquals, assertRejects } from "@std/assert";
import { LimitExceededError, MatrixError, UpstreamError } from "../../../lib/matrix/errors.ts";
import type { HomeserverDelegateRequest } from "../../../lib/matrix/homeserver_wire.ts";
import { Secret } from "../../../lib/secret.ts";
import { hashedIdentity, liveKitRoom } from "../../../lib/signing/names.ts";
import { delegateDelayedLeave } from "../../../lib/usecases/homeserver_mode/delegate_delayed_leave.ts";
import { type Behaviour, CALL, createWorld } from "./world.ts";

const DEADLINE = 15_000;
const REQUEST: HomeserverDelegateRequest = { ...CALL, delayId: new Secret("syd_1") };
const EVENT = { roomId: "!room:own", delayMs: 3_600_000 };
const ROOM = liveKitRoom("!room:own", "m.call#ROOM");

Deno.test("delegateDelayedLeave() takes over what the homeserver knows", async () => {
  const { deps, steps } = createWorld({ event: EVENT });
  const leave = await delegateDelayedLeave(REQUEST, "@alice:own", DEADLINE, deps);
  assertEquals(leave, { userId: "@alice:own", room: ROOM });
  const job = {
    room: ROOM,
    identity: hashedIdentity("@alice:own", "memberABC"),
    delayTimeoutMs: 3_600_000,
    serverName: "own",
    userId: "@alice:own",
    isThroughHomeserver: true,
  };
  const [found, delegated, ...more] = steps;
  assertEquals([found, more], ["find syd_1 of @alice:own", []]);
  assertEquals(JSON.parse(delegated!.slice("delegate syd_1 ".length)), job);
});

const TROUBLE = new UpstreamError("http", "no answer");
const REFUSALS: {
  what: string;
  request?: Partial<HomeserverDelegateRequest>;
  userId?: string;
  behaviour?: Behaviour;
  answer: [status: number, errcode: string];
}[] = [
  { what: "another url", request: { url: "wss://x" }, answer: [400, "M_INVALID_PARAM"] },
  { what: "no user ID", userId: "alice", answer: [400, "M_INVALID_PARAM"] },
  { what: "another server's user", userId: "@bob:other", answer: [403, "M_FORBIDDEN"] },
  { what: "a blocked server", behaviour: { blocked: ["own"] }, answer: [403, "M_FORBIDDEN"] },
  { what: "no room ID", request: { roomId: ".." }, answer: [400, "M_INVALID_PARAM"] },
  {
    what: "an event that the user does not have",
    behaviour: { event: undefined },
    answer: [400, "M_INVALID_PARAM"],
  },
  {
    what: "another room's event",
    behaviour: { event: { ...EVENT, roomId: "!other:own" } },
    answer: [400, "M_INVALID_PARAM"],
  },
  {
    what: "a homeserver that does not say",
    behaviour: { event: TROUBLE },
    answer: [503, "M_UNKNOWN"],
  },
  {
    what: "a job that cannot be kept",
    behaviour: { event: EVENT, delegateError: TROUBLE },
    answer: [503, "M_UNKNOWN"],
  },
  {
    what: "too many jobs",
    behaviour: { event: EVENT, delegateError: new LimitExceededError("too many", 30) },
    answer: [429, "M_LIMIT_EXCEEDED"],
  },
];

for (const { what, request, userId = "@alice:own", behaviour, answer } of REFUSALS) {
  Deno.test(`delegateDelayedLeave() answers ${answer.join(" ")} to ${what}`, async () => {
    const { deps } = createWorld({ event: EVENT, ...behaviour });
    const error = await assertRejects(
      () => delegateDelayedLeave({ ...REQUEST, ...request }, userId, DEADLINE, deps),
      MatrixError,
    );
    assertEquals([error.status, error.errcode], answer);
  });
}

for (const delayId of [".", "..", "a".repeat(256)]) {
  Deno.test(`delegateDelayedLeave() asks nobody about the delay ID ${delayId.slice(0, 9)}`, async () => {
    const { deps, steps } = createWorld({ event: EVENT });
    const request = { ...REQUEST, delayId: new Secret(delayId) };
    const error = await assertRejects(
      () => delegateDelayedLeave(request, "@alice:own", DEADLINE, deps),
      MatrixError,
    );
    assertEquals([error.errcode, steps], ["M_INVALID_PARAM", []]);
  });
}
