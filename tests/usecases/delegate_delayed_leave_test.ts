import { assertEquals, assertRejects } from "@std/assert";
import type { Job } from "../../lib/delayed_leave/job.ts";
import {
  ForbiddenError,
  InvalidRequestError,
  LimitExceededError,
  MatrixError,
  UnauthorizedError,
  UnavailableError,
  UpstreamError,
} from "../../lib/matrix/errors.ts";
import type { DelegateRequest } from "../../lib/matrix/wire.ts";
import { Secret } from "../../lib/secret.ts";
import { hashedIdentity, legacyIdentity, liveKitRoom } from "../../lib/signing/names.ts";
import { delegateDelayedLeave } from "../../lib/usecases/delegate_delayed_leave.ts";
import type { Delegation } from "../../lib/usecases/delegation.ts";
import type { TokenExchangeDeps } from "../../lib/usecases/exchange_token.ts";

const REQUEST: DelegateRequest = {
  roomId: "!room:example.com",
  slotId: "m.call#ROOM",
  memberId: "memberABC",
  claimedUserId: "@alice:example.org",
  claimedDeviceId: "DEVICE123",
  openIdToken: { accessToken: new Secret("openid-token"), serverName: "example.org" },
  delayedLeave: { delayId: new Secret("delay"), delayTimeoutMs: 10_000 },
};
const ROOM = liveKitRoom("!room:example.com", "m.call#ROOM");

function createWorld(delegation: Partial<Delegation> = {}, userId = "@alice:example.org") {
  const jobs: Job[] = [];
  const never = () => {
    throw new Error("nothing is to be signed or created");
  };
  const deps: TokenExchangeDeps = {
    sfuUrl: "wss://sfu.example.org",
    verify: () => Promise.resolve({ userId, serverName: "example.org" }),
    hasFullAccess: () => true,
    issueJoinToken: never,
    ensureRoom: never,
    now: () => 0,
    delegation: {
      isPossible: () => true,
      isOpenTo: (access) => access === "full",
      resolveClientApi: () => Promise.resolve(),
      delegate: (job) => {
        jobs.push(job);
        return Promise.resolve();
      },
      ...delegation,
    },
  };
  return { deps, jobs };
}

Deno.test("delegateDelayedLeave() looks for the hashed identity and the plain one", async () => {
  const { deps, jobs } = createWorld();
  assertEquals(await delegateDelayedLeave(REQUEST, 15_000, deps), {
    userId: "@alice:example.org",
    room: ROOM,
  });
  assertEquals(jobs, [{
    room: ROOM,
    identity: hashedIdentity("@alice:example.org", "DEVICE123", "memberABC"),
    otherIdentity: legacyIdentity("@alice:example.org", "DEVICE123"),
    delayId: REQUEST.delayedLeave.delayId,
    delayTimeoutMs: 10_000,
    serverName: "example.org",
    userId: "@alice:example.org",
  }]);
});

Deno.test("delegateDelayedLeave() refuses a claim to be somebody else", async () => {
  const { deps, jobs } = createWorld({}, "@bob:example.org");
  await assertRejects(() => delegateDelayedLeave(REQUEST, 15_000, deps), UnauthorizedError);
  assertEquals(jobs, []);
});

const unreachable = new UpstreamError("tcp", "connection refused");
for (
  const { name, delegation, type, status, errcode, message } of [
    {
      name: "restricted users",
      delegation: { isOpenTo: () => false },
      type: ForbiddenError.name,
      status: 403,
      errcode: "M_FORBIDDEN",
      message: "Delegation of delayed events is only supported for full access users",
    },
    {
      name: "servers without client API",
      delegation: { resolveClientApi: () => Promise.reject(unreachable) },
      type: InvalidRequestError.name,
      status: 400,
      errcode: "M_BAD_JSON",
      message: "Unable to resolve client-server API",
    },
    {
      name: "when the job cannot be kept",
      delegation: { delegate: () => Promise.reject(unreachable) },
      type: UnavailableError.name,
      status: 503,
      errcode: "M_UNKNOWN",
      message: "Delegation of delayed events is not possible at the moment",
    },
    {
      name: "users with too many jobs",
      delegation: { delegate: () => Promise.reject(new LimitExceededError("Too many", 30)) },
      type: LimitExceededError.name,
      status: 429,
      errcode: "M_LIMIT_EXCEEDED",
      message: "Too many",
    },
  ]
) {
  Deno.test(`delegateDelayedLeave() refuses ${name}`, async () => {
    const { deps } = createWorld(delegation);
    const error = await assertRejects(
      () => delegateDelayedLeave(REQUEST, 15_000, deps),
      MatrixError,
    );
    assertEquals(error.name, type);
    assertEquals([error.status, error.errcode, error.message], [
      status,
      errcode,
      message,
    ]);
  });
}
