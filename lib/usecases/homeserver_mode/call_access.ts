/** What the endpoints behind the homeserver have in common: who asks, for which call, and may they. */

import type { Member, RoomMembership } from "../../homeserver/room_membership.ts";
import {
  BadGatewayError,
  ForbiddenError,
  InternalError,
  InvalidRequestError,
  UpstreamError,
} from "../../matrix/errors.ts";
import type { CallRequest } from "../../matrix/homeserver_wire.ts";
import { isRoomId } from "../../matrix/room_id.ts";
import { serverNameOfUserId } from "../../matrix/user_id.ts";
import type { JoinTokenIssuer } from "../../signing/join_token.ts";
import { hashedIdentity, type LiveKitRoom, liveKitRoom } from "../../signing/names.ts";

/** What letting users into calls needs of the rest of the service. */
export interface CallAccessDeps {
  /** The homeserver that this service belongs to. */
  readonly ownServerName: string;
  /** The address of the SFU that clients are given. */
  readonly sfuUrl: string;
  readonly membership: RoomMembership;
  /** Whether users of a server may come at all. */
  isAdmitted(serverName: string): boolean;
  readonly issueJoinToken: JoinTokenIssuer;
  /** Makes sure that the room exists. */
  ensureRoom(room: LiveKitRoom, timeoutMs: number): Promise<void>;
  /** Milliseconds that never jump. */
  readonly now: () => number;
}

/** A way into a call. */
export interface CallAccess {
  readonly joinToken: string;
  /** The SFU, for clients that did not name it. */
  readonly url: string | undefined;
  readonly room: LiveKitRoom;
  readonly userId: string;
  /** Whose SFU it is, and whose user. */
  readonly access: "local" | "remote" | "federated";
}

/** For one question; the homeserver is near. */
const MEMBERSHIP_TIMEOUT_MS = 5_000;

/** @throws {InvalidRequestError} `M_INVALID_PARAM` when another SFU than this one's is named. */
export function refuseOtherSfu({ url }: CallRequest, { sfuUrl }: CallAccessDeps): void {
  if (url === undefined || url === sfuUrl) return;
  throw new InvalidRequestError("M_INVALID_PARAM", "The url is not that of this server's SFU");
}

/**
 * Refuses users of other servers than the one that vouches for them, and of those
 * whose users may not come at all.
 *
 * @throws {InvalidRequestError} `M_INVALID_PARAM` for what is no user ID.
 * @throws {ForbiddenError}
 */
export function refuseUnlessUserOf(
  serverName: string,
  userId: string,
  deps: Pick<CallAccessDeps, "isAdmitted">,
): void {
  const named = serverNameOfUserId(userId);
  if (named === undefined) {
    throw new InvalidRequestError("M_INVALID_PARAM", "The user ID is not valid");
  }
  if (named !== serverName) throw new ForbiddenError("The user is not one of the server's");
  if (!deps.isAdmitted(serverName)) throw new ForbiddenError("The server's users may not come");
}

/** @throws {InvalidRequestError} `M_INVALID_PARAM` for what is no room ID. */
export function refuseOtherThanRoomId({ roomId }: CallRequest): void {
  if (!isRoomId(roomId)) {
    throw new InvalidRequestError("M_INVALID_PARAM", "The room_id is not valid");
  }
}

/**
 * Refuses who is not in the room. One text for users, servers and rooms that
 * nobody knows, so that nobody learns which rooms exist.
 *
 * @param members All of whom have to be joined; asked about in this order.
 * @param deadline In the terms of `deps.now`.
 * @throws {ForbiddenError}
 * @throws {BadGatewayError} When the homeserver does not say.
 */
export async function refuseUnlessJoined(
  roomId: string,
  members: readonly Member[],
  deadline: number,
  deps: CallAccessDeps,
): Promise<void> {
  // One after the other: who asks for rooms of others is to cost the homeserver one question.
  for (const member of members) {
    const timeoutMs = Math.min(MEMBERSHIP_TIMEOUT_MS, deadline - deps.now());
    let isJoined: boolean;
    try {
      isJoined = await deps.membership.isJoined(roomId, member, timeoutMs);
    } catch (cause) {
      if (!(cause instanceof UpstreamError)) throw cause;
      throw new BadGatewayError("The homeserver did not say who is in the room", { cause });
    }
    if (!isJoined) throw new ForbiddenError("The user is not joined in the room");
  }
}

/**
 * Lets a user into a call on this service's SFU: creates the room, and issues the
 * token. Only users of the own server may publish; others have an SFU of their own.
 *
 * @param deadline In the terms of `deps.now`.
 * @throws {InternalError} When the SFU does not create the room.
 */
export async function letIn(
  request: CallRequest,
  userId: string,
  access: "local" | "federated",
  deadline: number,
  deps: CallAccessDeps,
): Promise<CallAccess> {
  const { roomId, slotId, memberId } = request;
  const room = liveKitRoom(roomId, slotId);
  const joinToken = deps.issueJoinToken({
    room,
    identity: hashedIdentity(userId, memberId),
    canPublish: access === "local",
    member: { userId, roomId, way: "homeserver" },
  });
  try {
    await deps.ensureRoom(room, Math.max(deadline - deps.now(), 0));
  } catch (cause) {
    throw new InternalError("Unable to create room on SFU", { cause });
  }
  const url = request.url === undefined ? deps.sfuUrl : undefined;
  return { joinToken, url, room, userId, access };
}
