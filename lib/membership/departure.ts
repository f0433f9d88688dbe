/** The rule by which somebody is no longer to be in a call. */

import { UpstreamError } from "../matrix/errors.ts";
import { serverNameOfUserId } from "../matrix/user_id.ts";
import type { CallMember } from "../signing/member_seal.ts";

/** `unknown`: the homeserver did not say, and nobody is removed for that. */
export type Standing = "joined" | "departed" | "unknown";

/** What the rule asks the own homeserver; each may throw {@linkcode UpstreamError}. */
export interface RoomQuestions {
  isUserJoined(roomId: string, userId: string): Promise<boolean>;
  isOwnServerJoined(roomId: string): Promise<boolean>;
}

/**
 * Says whether a call's member is still in the Matrix room.
 *
 * Of its own users a homeserver knows it always. Of others it knows it as long as
 * it is in the room itself. Once it is not, who came through it has no way in any
 * more, and of who came with an OpenID token it knows nothing: there is no telling
 * whether it ever was in that room.
 */
export async function standingOf(
  member: CallMember,
  ownServerName: string,
  { isUserJoined, isOwnServerJoined }: RoomQuestions,
): Promise<Standing> {
  const { userId, roomId, way } = member;
  try {
    if (!isOwnUser(member, ownServerName) && !await isOwnServerJoined(roomId)) {
      return way === "homeserver" ? "departed" : "joined";
    }
    return await isUserJoined(roomId, userId) ? "joined" : "departed";
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    return "unknown";
  }
}

/**
 * Whether the own homeserver may not have heard yet that somebody has joined:
 * the user's own server vouched for the user alone, and federation takes its
 * time. Who came through the homeserver was known to it as joined before that.
 */
export function mayBeAhead(member: CallMember, ownServerName: string): boolean {
  return member.way === "openid" && !isOwnUser(member, ownServerName);
}

function isOwnUser({ userId }: CallMember, ownServerName: string): boolean {
  return serverNameOfUserId(userId) === ownServerName;
}
