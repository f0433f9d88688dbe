import { ForbiddenError, InvalidRequestError, UnavailableError } from "../matrix/errors.ts";
import { MAX_IDENTITY_LENGTH } from "../delayed_leave/job.ts";
import type { DelegateRequest } from "../matrix/wire.ts";
import { hashedIdentity, legacyIdentity, liveKitRoom } from "../signing/names.ts";
import { type Delegation, FULL_ACCESS_ONLY, prepareDelegation, takeOver } from "./delegation.ts";
import { identifyUser, type IdentifyUserDeps } from "./identify_user.ts";

const RETRY_AFTER_SECONDS = 5;

/** Whose leave has been taken over. */
export interface DelegatedLeave {
  readonly userId: string;
  readonly room: string;
}

/**
 * `POST /delegate_delayed_leave`: takes over the leave event of somebody who is
 * in the call already, or about to join.
 *
 * Clients in compatibility mode have joined through `/sfu/get`, under the plain
 * identity, so the participant is looked for under both.
 *
 * @param deadline In the terms of `deps.now`.
 * @throws {MatrixError} What the client is to be told.
 */
export async function delegateDelayedLeave(
  request: DelegateRequest,
  deadline: number,
  deps: IdentifyUserDeps & { readonly delegation: Delegation },
): Promise<DelegatedLeave> {
  const { roomId, slotId, memberId, claimedDeviceId, delayedLeave } = request;
  const { userId, serverName, access } = await identifyUser(request, deadline, deps);
  const { delegation } = deps;
  if (!delegation.isOpenTo(access)) throw new ForbiddenError(FULL_ACCESS_ONLY);
  await prepareDelegation(
    serverName,
    deadline - deps.now(),
    delegation,
    (message, cause) => new InvalidRequestError("M_BAD_JSON", message, { cause }),
  );
  const room = liveKitRoom(roomId, slotId);
  const otherIdentity = legacyIdentity(userId, claimedDeviceId);
  const job = {
    ...delayedLeave,
    room,
    identity: hashedIdentity(userId, claimedDeviceId, memberId),
    // Nobody has joined under one that could not be kept.
    ...(otherIdentity.length > MAX_IDENTITY_LENGTH ? {} : { otherIdentity }),
    serverName,
    userId,
  };
  await takeOver(
    job,
    deadline - deps.now(),
    delegation,
    (message, cause) => new UnavailableError(message, RETRY_AFTER_SECONDS, { cause }),
  );
  return { userId, room };
}
