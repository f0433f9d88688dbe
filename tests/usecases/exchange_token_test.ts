import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  ForbiddenError,
  InternalError,
  InvalidRequestError,
  MatrixError,
  UnauthorizedError,
  UpstreamError,
} from "../../lib/matrix/errors.ts";
import type { GetTokenRequest, OpenIdToken, SfuGetRequest } from "../../lib/matrix/wire.ts";
import { Secret } from "../../lib/secret.ts";
import { SfuError } from "../../lib/sfu/twirp.ts";
import { hashedIdentity, legacyIdentity, liveKitRoom } from "../../lib/signing/names.ts";
import type { Delegation } from "../../lib/usecases/delegation.ts";
import type { TokenExchangeDeps } from "../../lib/usecases/exchange_token.ts";
import { getToken } from "../../lib/usecases/get_token.ts";
import { legacySfuGet } from "../../lib/usecases/legacy_sfu_get.ts";

const OPEN_ID_TOKEN: OpenIdToken = {
  accessToken: new Secret("openid-token"),
  serverName: "example.org",
};
const DELAYED_LEAVE = { delayId: new Secret("delay"), delayTimeoutMs: 10_000 };
const GET_TOKEN: GetTokenRequest = {
  roomId: "!room:example.com",
  slotId: "m.call#ROOM",
  memberId: "memberABC",
  claimedUserId: "@alice:example.org",
  claimedDeviceId: "DEVICE123",
  openIdToken: OPEN_ID_TOKEN,
  delayedLeave: undefined,
};
const SFU_GET: SfuGetRequest = {
  roomId: "!room:example.com",
  deviceId: "DEVICE123",
  openIdToken: OPEN_ID_TOKEN,
  delayedLeave: undefined,
};
const ROOM = liveKitRoom("!room:example.com", "m.call#ROOM");

/** What a token is issued for. */
function issued(identity: string): string {
  const member = { userId: "@alice:example.org", roomId: "!room:example.com", way: "openid" };
  return JSON.stringify([{ room: ROOM, identity, canPublish: true, member }]);
}

interface World {
  /** What was done, in order. */
  readonly steps: string[];
  readonly deps: TokenExchangeDeps;
}

/** Every dependency notes that it was asked. */
function createWorld(
  { delegation, ...changes }:
    & Partial<Omit<TokenExchangeDeps, "delegation">>
    & { delegation?: Partial<Delegation> } = {},
): World {
  const steps: string[] = [];
  const note =
    <A extends unknown[], R>(name: string, action: (...args: A) => R) => (...args: A) => {
      steps.push(`${name} ${JSON.stringify(args)}`);
      return action(...args);
    };
  const deps: TokenExchangeDeps = {
    sfuUrl: "wss://sfu.example.org",
    verify: () => Promise.resolve({ userId: "@alice:example.org", serverName: "example.org" }),
    hasFullAccess: () => true,
    issueJoinToken: () => "join-token",
    ensureRoom: () => Promise.resolve(),
    now: () => 1_000,
    delegation: {
      isPossible: () => true,
      isOpenTo: (access) => access === "full",
      resolveClientApi: () => Promise.resolve(),
      delegate: () => Promise.resolve(),
      ...delegation,
    },
    ...changes,
  };
  return {
    steps,
    deps: {
      ...deps,
      verify: note("verify", deps.verify),
      hasFullAccess: note("hasFullAccess", deps.hasFullAccess),
      issueJoinToken: note("issueJoinToken", deps.issueJoinToken),
      ensureRoom: note("ensureRoom", deps.ensureRoom),
      delegation: {
        ...deps.delegation,
        resolveClientApi: note("resolveClientApi", deps.delegation.resolveClientApi),
        delegate: note("delegate", deps.delegation.delegate),
      },
    },
  };
}

const ENDPOINTS = [
  {
    name: "getToken()",
    ask: (deps: TokenExchangeDeps, changes: Partial<GetTokenRequest> = {}) =>
      getToken({ ...GET_TOKEN, ...changes }, 16_000, deps),
    identity: hashedIdentity("@alice:example.org", "DEVICE123", "memberABC"),
  },
  {
    name: "legacySfuGet()",
    ask: (deps: TokenExchangeDeps, changes: Partial<SfuGetRequest> = {}) =>
      legacySfuGet({ ...SFU_GET, ...changes }, 16_000, deps),
    identity: legacyIdentity("@alice:example.org", "DEVICE123"),
  },
];

for (const { name, ask, identity } of ENDPOINTS) {
  Deno.test(`${name} verifies, signs and creates the room, in this order`, async () => {
    const { deps, steps } = createWorld();
    assertEquals(await ask(deps), {
      sfuUrl: "wss://sfu.example.org",
      joinToken: "join-token",
      room: ROOM,
      userId: "@alice:example.org",
      access: "full",
      isLeaveDelegated: false,
    });
    assertEquals(steps, [
      'verify [{"accessToken":"[secret]","serverName":"example.org"},10000]',
      'hasFullAccess ["example.org"]',
      `issueJoinToken ${issued(identity)}`,
      `ensureRoom ["${ROOM}",15000]`,
    ]);
  });

  Deno.test(`${name} gives a restricted user a token and creates nothing`, async () => {
    const { deps, steps } = createWorld({ hasFullAccess: () => false });
    const { joinToken, access } = await ask(deps);
    assertEquals([joinToken, access], ["join-token", "restricted"]);
    assert(!steps.some((step) => step.startsWith("ensureRoom")));
    assertEquals(
      steps.find((step) => step.startsWith("issueJoinToken")),
      `issueJoinToken ${issued(identity)}`,
    );
  });

  for (
    const error of [
      new UnauthorizedError({ cause: new Error("no such token") }),
      new ForbiddenError("Users of this homeserver are not admitted"),
    ]
  ) {
    Deno.test(`${name} does nothing after ${error.name}`, async () => {
      const { deps, steps } = createWorld({ verify: () => Promise.reject(error) });
      assertEquals(await assertRejects(() => ask(deps), MatrixError), error);
      assertEquals(steps.length, 1);
    });
  }

  Deno.test(`${name} takes the leave over last, under the identity of the token`, async () => {
    const { deps, steps } = createWorld();
    const { isLeaveDelegated } = await ask(deps, { delayedLeave: DELAYED_LEAVE });
    assert(isLeaveDelegated);
    const job = {
      delayId: "[secret]",
      delayTimeoutMs: 10_000,
      room: ROOM,
      identity,
      serverName: "example.org",
      userId: "@alice:example.org",
    };
    assertEquals(steps.slice(2), [
      'resolveClientApi ["example.org",6000]',
      `issueJoinToken ${issued(identity)}`,
      `ensureRoom ["${ROOM}",15000]`,
      `delegate ${JSON.stringify([job, 8_000])}`,
    ]);
  });

  for (
    const { when, changes, message } of [
      {
        when: "it cannot work",
        changes: { delegation: { isPossible: () => false } },
        message: "Delegation of delayed events is not supported by this service",
      },
      {
        when: "the user is restricted",
        changes: { hasFullAccess: () => false },
        message: "Delegation of delayed events is only supported for full access users",
      },
      {
        when: "the client API cannot be found",
        changes: {
          delegation: { resolveClientApi: () => Promise.reject(new UpstreamError("dns", "none")) },
        },
        message: "Unable to resolve client-server API",
      },
    ]
  ) {
    Deno.test(`${name} refuses delegation before anything is done when ${when}`, async () => {
      const { deps, steps } = createWorld(changes);
      const error = await assertRejects(
        () => ask(deps, { delayedLeave: DELAYED_LEAVE }),
        InvalidRequestError,
        message,
      );
      assertEquals([error.errcode, error.status], ["M_BAD_JSON", 400]);
      assert(!steps.some((step) => /^(issueJoinToken|ensureRoom|delegate)/.test(step)));
    });
  }

  Deno.test(`${name} lets old clients in without delegation when no job can be kept`, async () => {
    const cause = new UpstreamError("tcp", "the store is down");
    const { deps } = createWorld({ delegation: { delegate: () => Promise.reject(cause) } });
    const error = await assertRejects(
      () => ask(deps, { delayedLeave: DELAYED_LEAVE }),
      InvalidRequestError,
    );
    // On this very code they ask once more without the delay fields.
    assertEquals([error.errcode, error.status, error.cause], ["M_BAD_JSON", 400, cause]);
  });

  Deno.test(`${name} takes restricted users' leaves where the operator wants it`, async () => {
    const { deps, steps } = createWorld({
      hasFullAccess: () => false,
      delegation: { isOpenTo: () => true },
    });
    const { access, isLeaveDelegated } = await ask(deps, { delayedLeave: DELAYED_LEAVE });
    assertEquals([access, isLeaveDelegated], ["restricted", true]);
    assert(!steps.some((step) => step.startsWith("ensureRoom")));
  });

  Deno.test(`${name} tells nobody but a verified user that delegation is refused`, async () => {
    const { deps } = createWorld({ verify: () => Promise.reject(new UnauthorizedError()) });
    await assertRejects(() => ask(deps, { delayedLeave: DELAYED_LEAVE }), UnauthorizedError);
  });

  Deno.test(`${name} hands out no token when the room cannot be created`, async () => {
    const cause = new SfuError("tcp", "connection refused");
    const { deps } = createWorld({ ensureRoom: () => Promise.reject(cause) });
    const error = await assertRejects(() => ask(deps), InternalError);
    assertEquals([error.errcode, error.status, error.message, error.cause], [
      "M_UNKNOWN",
      500,
      "Unable to create room on SFU",
      cause,
    ]);
  });

  Deno.test(`${name} leaves each step no more time than the request has`, async () => {
    const { steps, deps } = createWorld();
    let now = 9_000;
    const verify: TokenExchangeDeps["verify"] = (token, timeoutMs) => {
      now += timeoutMs + 1;
      return deps.verify(token, timeoutMs);
    };
    await ask({ ...deps, verify, now: () => now });
    const times = steps.filter((step) => /^(verify|ensureRoom)/.test(step))
      .map((step) => Number(step.match(/(\d+)\]$/)![1]));
    assertEquals(times, [7_000, 0]);
  });

  Deno.test(`${name} decides by the server that vouched and the user that it named`, async () => {
    const { deps, steps } = createWorld({
      verify: () =>
        Promise.resolve({ userId: "@mallory:evil.example", serverName: "evil.example" }),
      hasFullAccess: (serverName) => serverName === "example.org",
    });
    const { userId, access } = await ask(deps, { claimedUserId: "@mallory:evil.example" });
    assertEquals([userId, access], ["@mallory:evil.example", "restricted"]);
    assertEquals(steps[1], 'hasFullAccess ["evil.example"]');
  });
}

for (
  const claimedUserId of [
    "@bob:example.org",
    "@Alice:example.org",
    "@alice:example.org:8448",
    "@alice:EXAMPLE.org",
    "alice",
    " @alice:example.org",
  ]
) {
  Deno.test(`getToken() refuses the claim to be "${claimedUserId}"`, async () => {
    const { deps, steps } = createWorld();
    const request = { ...GET_TOKEN, claimedUserId };
    const error = await assertRejects(() => getToken(request, 16_000, deps), UnauthorizedError);
    assertEquals(error.message, "The request could not be authorised.");
    assertEquals(steps.length, 1);
  });
}

Deno.test("getToken() and legacySfuGet() meet in one room", async () => {
  const { deps } = createWorld();
  const [first, second] = [
    await getToken(GET_TOKEN, 16_000, deps),
    await legacySfuGet(SFU_GET, 16_000, deps),
  ];
  assertEquals(first.room, second.room);
});

Deno.test("getToken() separates the slots of a room", async () => {
  const { deps } = createWorld();
  const other = await getToken({ ...GET_TOKEN, slotId: "other" }, 16_000, deps);
  assertEquals(other.room, liveKitRoom("!room:example.com", "other"));
});

Deno.test("legacySfuGet() keeps the colon of a user without device", async () => {
  const { deps, steps } = createWorld();
  await legacySfuGet({ ...SFU_GET, deviceId: "" }, 16_000, deps);
  assert(steps.some((step) => step.includes('"identity":"@alice:example.org:"')));
});

Deno.test("legacySfuGet() refuses to delegate under an identity too long to be kept", async () => {
  const { deps, steps } = createWorld();
  const request = { ...SFU_GET, deviceId: "D".repeat(1024) };
  await legacySfuGet(request, 16_000, deps);
  const error = await assertRejects(
    () => legacySfuGet({ ...request, delayedLeave: DELAYED_LEAVE }, 16_000, deps),
    InvalidRequestError,
    "too long",
  );
  assertEquals(error.errcode, "M_BAD_JSON");
  assert(!steps.some((step) => step.startsWith("delegate")));
});
