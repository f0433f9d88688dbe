import type { GetTokenRequest } from "../matrix/wire.ts";
import { hashedIdentity, liveKitRoom } from "../signing/names.ts";
import { exchangeToken, type TokenExchange, type TokenExchangeDeps } from "./exchange_token.ts";

/**
 * `POST /get_token`: the endpoint of MSC4195 before it moved to the homeserver.
 * The identity is hashed, so participants do not learn each other's devices.
 *
 * @param deadline In the terms of `deps.now`.
 * @throws {MatrixError} What the client is to be told.
 */
export function getToken(
  request: GetTokenRequest,
  deadline: number,
  deps: TokenExchangeDeps,
): Promise<TokenExchange> {
  const { roomId, slotId, memberId, claimedUserId, claimedDeviceId } = request;
  return exchangeToken(
    {
      openIdToken: request.openIdToken,
      delayedLeave: request.delayedLeave,
      claimedUserId,
      roomId,
      room: liveKitRoom(roomId, slotId),
      identityOf: (userId) => hashedIdentity(userId, claimedDeviceId, memberId),
    },
    deadline,
    deps,
  );
}
