import type { RequestRemoteToken } from "../../homeserver/remote_tokens.ts";
import {
  BadGatewayError,
  ForbiddenError,
  InvalidRequestError,
  UpstreamError,
} from "../../matrix/errors.ts";
import type { HomeserverTokenRequest } from "../../matrix/homeserver_wire.ts";
import { isServerName } from "../../matrix/server_name.ts";
import { liveKitRoom } from "../../signing/names.ts";
import { RESOLVE_TIMEOUT_MS } from "../delegation.ts";
import {
  type CallAccess,
  type CallAccessDeps,
  letIn,
  refuseOtherSfu,
  refuseOtherThanRoomId,
  refuseUnlessJoined,
  refuseUnlessUserOf,
} from "./call_access.ts";

/** What a client's request may need beyond its own server's SFU. */
export interface GetTokenDeps extends CallAccessDeps {
  /** @throws {UpstreamError} When it cannot be found out where the own client API is. */
  resolveClientApi(serverName: string, timeoutMs: number): Promise<void>;
  readonly requestRemoteToken: RequestRemoteToken;
}

/**
 * A client's `get_token` of MSC4195, passed on by the homeserver that knows who it
 * is: a way into a call on the own SFU, or, through the other homeserver, on another's.
 *
 * @param userId As the homeserver says it.
 * @param deadline In the terms of `deps.now`.
 * @throws {MatrixError} What the client is to be told.
 */
export async function getToken(
  request: HomeserverTokenRequest,
  userId: string,
  deadline: number,
  deps: GetTokenDeps,
): Promise<CallAccess> {
  const { roomId, serverName = deps.ownServerName } = request;
  const isLocal = serverName === deps.ownServerName;
  if (isLocal) refuseOtherSfu(request, deps);
  else if (!isServerName(serverName)) {
    throw new InvalidRequestError("M_INVALID_PARAM", "The server_name is not valid");
  }
  refuseUnlessUserOf(deps.ownServerName, userId, deps);
  refuseOtherThanRoomId(request);
  await findOwnClientApi(deadline, deps);
  const members = isLocal ? [{ userId }] : [{ userId }, { serverName }];
  await refuseUnlessJoined(roomId, members, deadline, deps);
  if (isLocal) return await letIn(request, userId, "local", deadline, deps);
  return await askRemote(serverName, request, userId, deadline, deps);
}

async function findOwnClientApi(deadline: number, deps: GetTokenDeps): Promise<void> {
  const timeoutMs = Math.min(RESOLVE_TIMEOUT_MS, deadline - deps.now());
  try {
    await deps.resolveClientApi(deps.ownServerName, timeoutMs);
  } catch (cause) {
    if (!(cause instanceof UpstreamError)) throw cause;
    const message = "Unable to resolve client-server API";
    throw new InvalidRequestError("M_BAD_JSON", message, { cause });
  }
}

async function askRemote(
  serverName: string,
  request: HomeserverTokenRequest,
  userId: string,
  deadline: number,
  deps: GetTokenDeps,
): Promise<CallAccess> {
  const { roomId, slotId, memberId, url, claimedDeviceId } = request;
  const question = { userId, url, roomId, slotId, memberId, claimedDeviceId };
  let answer;
  try {
    answer = await deps.requestRemoteToken(serverName, question, deadline - deps.now());
  } catch (cause) {
    if (!(cause instanceof UpstreamError)) throw cause;
    throw new BadGatewayError("The other server gave no token", { cause });
  }
  if (answer.kind === "forbidden") throw new ForbiddenError("The other server refuses the user");
  if (answer.kind === "invalid-param") {
    throw new InvalidRequestError("M_INVALID_PARAM", "The other server refuses the request");
  }
  return {
    joinToken: answer.joinToken,
    url: url === undefined ? answer.url : undefined,
    room: liveKitRoom(roomId, slotId),
    userId,
    access: "remote",
  };
}
