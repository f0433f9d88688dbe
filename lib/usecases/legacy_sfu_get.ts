import type { SfuGetRequest } from "../matrix/wire.ts";
import { legacyIdentity, liveKitRoom, ROOM_CALL_SLOT_ID } from "../signing/names.ts";
import { exchangeToken, type TokenExchange, type TokenExchangeDeps } from "./exchange_token.ts";

/**
 * `POST /sfu/get`: the first generation's endpoint. Its users meet those of
 * `/get_token` in the same LiveKit room; only the identity differs.
 *
 * @param deadline In the terms of `deps.now`.
 * @throws {MatrixError} What the client is to be told.
 */
export function legacySfuGet(
  request: SfuGetRequest,
  deadline: number,
  deps: TokenExchangeDeps,
): Promise<TokenExchange> {
  return exchangeToken(
    {
      openIdToken: request.openIdToken,
      delayedLeave: request.delayedLeave,
      roomId: request.roomId,
      room: liveKitRoom(request.roomId, ROOM_CALL_SLOT_ID),
      identityOf: (userId) => legacyIdentity(userId, request.deviceId),
    },
    deadline,
    deps,
  );
}
