import type { DelayedEvent, FindDelayedEvent } from "../../homeserver/delayed_event_lookup.ts";
import { isDelayId } from "../../matrix/delay_id.ts";
import { InvalidRequestError, UnavailableError, UpstreamError } from "../../matrix/errors.ts";
import type { HomeserverDelegateRequest } from "../../matrix/homeserver_wire.ts";
import { hashedIdentity, liveKitRoom } from "../../signing/names.ts";
import type { DelegatedLeave } from "../delegate_delayed_leave.ts";
import { type Delegation, takeOver } from "../delegation.ts";
import {
  type CallAccessDeps,
  refuseOtherSfu,
  refuseOtherThanRoomId,
  refuseUnlessUserOf,
} from "./call_access.ts";

/** What taking a leave over through the homeserver needs of the rest of the service. */
export interface DelegateDeps extends CallAccessDeps {
  readonly findDelayedEvent: FindDelayedEvent;
  readonly delegation: Delegation;
}

const LOOKUP_TIMEOUT_MS = 5_000;
const RETRY_AFTER_SECONDS = 5;

/**
 * A client's `delegate_delayed_leave` of MSC4195, passed on by the homeserver. The
 * homeserver says whether the event is the user's, of this room, and how long its delay is.
 *
 * @param userId As the homeserver says it.
 * @param deadline In the terms of `deps.now`.
 * @throws {MatrixError} What the client is to be told.
 */
export async function delegateDelayedLeave(
  request: HomeserverDelegateRequest,
  userId: string,
  deadline: number,
  deps: DelegateDeps,
): Promise<DelegatedLeave> {
  const { roomId, slotId, memberId, delayId } = request;
  refuseOtherSfu(request, deps);
  refuseUnlessUserOf(deps.ownServerName, userId, deps);
  refuseOtherThanRoomId(request);
  const event = await findEvent(request, userId, deadline, deps);
  const room = liveKitRoom(roomId, slotId);
  const job = {
    room,
    identity: hashedIdentity(userId, memberId),
    delayId,
    delayTimeoutMs: event.delayMs,
    serverName: deps.ownServerName,
    userId,
    isThroughHomeserver: true,
  } as const;
  await takeOver(
    job,
    deadline - deps.now(),
    deps.delegation,
    (message, cause) => new UnavailableError(message, RETRY_AFTER_SECONDS, { cause }),
  );
  return { userId, room };
}

async function findEvent(
  { delayId, roomId }: HomeserverDelegateRequest,
  userId: string,
  deadline: number,
  deps: DelegateDeps,
): Promise<DelayedEvent> {
  const timeoutMs = Math.min(LOOKUP_TIMEOUT_MS, deadline - deps.now());
  let event: DelayedEvent | undefined;
  if (isDelayId(delayId.reveal())) {
    try {
      event = await deps.findDelayedEvent(delayId, userId, timeoutMs);
    } catch (cause) {
      if (!(cause instanceof UpstreamError)) throw cause;
      const message = "The homeserver did not say what it knows of the delayed event";
      throw new UnavailableError(message, RETRY_AFTER_SECONDS, { cause });
    }
  }
  // An event of another room is as good as none, so that nobody learns of it.
  if (event?.roomId !== roomId) {
    throw new InvalidRequestError("M_INVALID_PARAM", "The user has no such delayed event here");
  }
  return event;
}
