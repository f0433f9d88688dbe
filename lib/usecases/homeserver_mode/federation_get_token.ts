import type { FederationTokenRequest } from "../../matrix/homeserver_wire.ts";
import {
  type CallAccess,
  type CallAccessDeps,
  letIn,
  refuseOtherSfu,
  refuseOtherThanRoomId,
  refuseUnlessJoined,
  refuseUnlessUserOf,
} from "./call_access.ts";

/**
 * Another server's `get_token` of MSC4195, passed on by the homeserver that has
 * checked its signature: its user may hear and see, in rooms that both servers are in.
 *
 * @param origin The server that asks, as the homeserver says it.
 * @param deadline In the terms of `deps.now`.
 * @throws {MatrixError} What the other server is to be told.
 */
export async function federationGetToken(
  request: FederationTokenRequest,
  origin: string,
  deadline: number,
  deps: CallAccessDeps,
): Promise<CallAccess> {
  const { roomId, userId } = request;
  refuseUnlessUserOf(origin, userId, deps);
  refuseOtherThanRoomId(request);
  const members = [{ serverName: deps.ownServerName }, { userId }];
  await refuseUnlessJoined(roomId, members, deadline, deps);
  refuseOtherSfu(request, deps);
  return await letIn(request, userId, "federated", deadline, deps);
}
