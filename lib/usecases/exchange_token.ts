/** What both token endpoints do once they know what is asked for. */

import { InternalError, InvalidRequestError } from "../matrix/errors.ts";
import { MAX_IDENTITY_LENGTH } from "../delayed_leave/job.ts";
import type { DelayedLeave, OpenIdToken } from "../matrix/wire.ts";
import type { JoinTokenIssuer } from "../signing/join_token.ts";
import type { LiveKitIdentity, LiveKitRoom } from "../signing/names.ts";
import { type Access, identifyUser, type IdentifyUserDeps } from "./identify_user.ts";
import { type Delegation, FULL_ACCESS_ONLY, prepareDelegation, takeOver } from "./delegation.ts";

/** A way into a call. */
export interface TokenExchange {
  readonly sfuUrl: string;
  readonly joinToken: string;
  readonly room: LiveKitRoom;
  readonly userId: string;
  readonly access: Access;
  readonly isLeaveDelegated: boolean;
}

/** What an exchange needs of the rest of the service. */
export interface TokenExchangeDeps extends IdentifyUserDeps {
  /** The address of the SFU that clients are given. */
  readonly sfuUrl: string;
  readonly issueJoinToken: JoinTokenIssuer;
  /** Makes sure that the room exists. */
  ensureRoom(room: LiveKitRoom, timeoutMs: number): Promise<void>;
  readonly delegation: Delegation;
}

/** What is asked for. */
export interface TokenExchangeRequest {
  readonly openIdToken: OpenIdToken;
  /** Must be the verified user, where the client claims one. */
  readonly claimedUserId?: string;
  /** The Matrix room, as the client names it. */
  readonly roomId: string;
  readonly room: LiveKitRoom;
  readonly identityOf: (userId: string) => LiveKitIdentity;
  readonly delayedLeave: DelayedLeave | undefined;
}

/**
 * Verifies the user, creates the room if the user's server may, issues the join
 * token, and takes the user's leave over where that is asked for. Restricted
 * users get a token too: it lets them into rooms that exist.
 *
 * @param deadline When the whole exchange is abandoned, in the terms of `deps.now`.
 * @throws {MatrixError} What the client is to be told.
 */
export async function exchangeToken(
  request: TokenExchangeRequest,
  deadline: number,
  deps: TokenExchangeDeps,
): Promise<TokenExchange> {
  const { room, delayedLeave } = request;
  const { userId, serverName, access } = await identifyUser(request, deadline, deps);
  const { delegation } = deps;
  const isLeaveDelegated = delayedLeave !== undefined;
  if (isLeaveDelegated) {
    if (!delegation.isOpenTo(access)) throw withoutDelayFields(FULL_ACCESS_ONLY);
    if (!delegation.isPossible()) {
      throw withoutDelayFields("Delegation of delayed events is not supported by this service");
    }
    if (request.identityOf(userId).length > MAX_IDENTITY_LENGTH) {
      throw withoutDelayFields("The device ID is too long for delegation of delayed events");
    }
    await prepareDelegation(serverName, deadline - deps.now(), delegation, withoutDelayFields);
  }

  const identity = request.identityOf(userId);
  const member = { userId, roomId: request.roomId, way: "openid" } as const;
  const joinToken = deps.issueJoinToken({ room, identity, canPublish: true, member });
  if (access === "full") await createRoom(room, deadline, deps);
  if (isLeaveDelegated) {
    const job = { ...delayedLeave, room, identity, serverName, userId };
    await takeOver(job, deadline - deps.now(), delegation, withoutDelayFields);
  }
  return { sfuUrl: deps.sfuUrl, joinToken, room, userId, access, isLeaveDelegated };
}

// Old clients try again without the delay fields on this very code, so they get their token.
function withoutDelayFields(message: string, cause?: Error): InvalidRequestError {
  return new InvalidRequestError("M_BAD_JSON", message, { cause });
}

async function createRoom(room: LiveKitRoom, deadline: number, deps: TokenExchangeDeps) {
  try {
    await deps.ensureRoom(room, Math.max(deadline - deps.now(), 0));
  } catch (cause) {
    throw new InternalError("Unable to create room on SFU", { cause });
  }
}
