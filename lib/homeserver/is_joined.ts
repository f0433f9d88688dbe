/** One question to the own homeserver: is somebody joined in a room (MSC4502)? */

import { isRoomId } from "../matrix/room_id.ts";
import { isServerName } from "../matrix/server_name.ts";
import { serverNameOfUserId } from "../matrix/user_id.ts";
import type { OwnHomeserver } from "./own_homeserver.ts";
import { createPathChoice } from "./path_choice.ts";
import { refusal } from "./refusal.ts";
import type { Member } from "./room_membership.ts";

/**
 * Asks, without remembering anything but where.
 *
 * @param deadline In the terms of the clock's `monotonic`.
 * @throws {TypeError} For what is no room ID, user ID or server name.
 * @throws {UpstreamError} For everything but a clear yes or no.
 */
export type IsJoined = (roomId: string, member: Member, deadline: number) => Promise<boolean>;

const UNSTABLE = "/_matrix/client/unstable/io.element.msc4502/rooms";
const STABLE = "/_matrix/client/v3/rooms";
const REMEDIES = {
  M_UNRECOGNIZED: "the homeserver has no is_joined (MSC4502; Synapse has it with " +
    "experimental_features.msc4502_enabled)",
  M_FORBIDDEN: "the registration lacks the scope " +
    "urn:matrix:client:io.element.msc4502:rooms:is_joined (io.element.msc4502.scopes), or " +
    "LIVEKIT_AS_TOKEN is a user's token",
};

/** Makes the function that asks. */
export function createIsJoined(homeserver: OwnHomeserver): IsJoined {
  const atKnownPath = createPathChoice([UNSTABLE, STABLE]);
  return async (roomId, member, deadline) => {
    // A room ID begins with `!`, so it is no dot segment, and encoded it is no more than one.
    if (!isRoomId(roomId)) throw new TypeError("is_joined was asked about what is no room ID");
    const query = formatMember(member);
    const answer = await atKnownPath((rooms) =>
      homeserver.ask({
        what: "is_joined",
        path: `${rooms}/${encodeURIComponent(roomId)}/is_joined`,
        query,
        deadline,
      })
    );
    const { joined } = answer.fields;
    if (answer.status === 200 && typeof joined === "boolean") return joined;
    // What the homeserver does not take for an ID, nobody it knows is in, or is.
    if (answer.status === 400 && answer.errcode === "M_INVALID_PARAM") return false;
    throw refusal(answer, REMEDIES);
  };
}

function formatMember(member: Member): Record<string, string> {
  if ("userId" in member) {
    if (serverNameOfUserId(member.userId) !== undefined) return { mxid: member.userId };
    throw new TypeError("is_joined was asked about what is no user ID");
  }
  if (isServerName(member.serverName)) return { server_name: member.serverName };
  throw new TypeError("is_joined was asked about what is no server name");
}
