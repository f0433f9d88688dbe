import type { DelayedEvent } from "../../../lib/homeserver/delayed_event_lookup.ts";
import type { RemoteTokenAnswer } from "../../../lib/homeserver/remote_tokens.ts";
import type { LiveKitRoom } from "../../../lib/signing/names.ts";
import type { DelegateDeps } from "../../../lib/usecases/homeserver_mode/delegate_delayed_leave.ts";
import type { GetTokenDeps } from "../../../lib/usecases/homeserver_mode/get_token.ts";

/** How the rest of the service behaves; what is an error is thrown. */
export interface Behaviour {
  /** Members that are joined: user IDs and server names. */
  joined?: readonly string[];
  membershipError?: Error;
  resolveError?: Error;
  roomError?: Error;
  remote?: RemoteTokenAnswer | Error;
  event?: DelayedEvent | Error | undefined;
  delegateError?: Error;
  blocked?: readonly string[];
}

/** All dependencies of homeserver mode; each notes that it was asked. */
export function createWorld(behaviour: Behaviour = {}) {
  const steps: string[] = [];
  const fail = (error: Error | undefined) => {
    if (error !== undefined) throw error;
  };
  // deno-lint-ignore require-await -- what is thrown is to be a rejection
  const isJoined = async (_room: string, member: object) => {
    const [name] = Object.values(member) as string[];
    steps.push(`isJoined ${name}`);
    fail(behaviour.membershipError);
    return (behaviour.joined ?? ["@alice:own", "@bob:other", "own", "other"]).includes(name!);
  };
  const deps: GetTokenDeps & DelegateDeps = {
    ownServerName: "own",
    sfuUrl: "wss://sfu.own",
    membership: { isJoined, isStillJoined: isJoined },
    isAdmitted: (name) => !(behaviour.blocked ?? []).includes(name),
    issueJoinToken: (params) => {
      steps.push("issue");
      return JSON.stringify(params);
    },
    // deno-lint-ignore require-await -- what is thrown is to be a rejection
    ensureRoom: async (_room: LiveKitRoom, _timeoutMs: number) => {
      steps.push("ensureRoom");
      fail(behaviour.roomError);
    },
    // deno-lint-ignore require-await -- what is thrown is to be a rejection
    resolveClientApi: async () => {
      steps.push("resolve");
      fail(behaviour.resolveError);
    },
    // deno-lint-ignore require-await -- what is thrown is to be a rejection
    requestRemoteToken: async (serverName, request) => {
      steps.push(`ask ${serverName} ${JSON.stringify(request)}`);
      const { remote = { kind: "token", joinToken: "remote jwt", url: "wss://sfu.other" } } =
        behaviour;
      if (remote instanceof Error) throw remote;
      return remote;
    },
    // deno-lint-ignore require-await -- what is thrown is to be a rejection
    findDelayedEvent: async (delayId, userId) => {
      steps.push(`find ${delayId.reveal()} of ${userId}`);
      if (behaviour.event instanceof Error) throw behaviour.event;
      return behaviour.event;
    },
    delegation: {
      isPossible: () => true,
      isOpenTo: () => false,
      resolveClientApi: () => Promise.reject(new Error("not to be asked")),
      // deno-lint-ignore require-await -- what is thrown is to be a rejection
      delegate: async ({ delayId, ...job }) => {
        steps.push(`delegate ${delayId.reveal()} ${JSON.stringify(job)}`);
        fail(behaviour.delegateError);
      },
    },
    now: () => 0,
  };
  return { deps, steps };
}

/** A call on the own SFU. */
export const CALL = {
  url: "wss://sfu.own",
  roomId: "!room:own",
  slotId: "m.call#ROOM",
  memberId: "memberABC",
};
