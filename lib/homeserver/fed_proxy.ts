/** {@linkcode RequestRemoteToken} through the own homeserver's `fed_proxy` (MSC4512). */

import type { Clock } from "../clock.ts";
import { UpstreamError } from "../matrix/errors.ts";
import type { OwnHomeserver } from "./own_homeserver.ts";
import { refusal } from "./refusal.ts";
import {
  interpretRemoteAnswer,
  isNoSuchPath,
  parseRemoteAnswer,
  type RemoteAnswer,
} from "./remote_answer.ts";
import type { RemoteTokenRequest, RequestRemoteToken } from "./remote_tokens.ts";

/** What asking needs. */
export interface FedProxyOptions {
  readonly homeserver: OwnHomeserver;
  readonly clock: Clock;
}

const FED_PROXY = "/_matrix/client/unstable/io.element.msc4512/appservice/fed_proxy";
/** Where other servers have it; most still at the first of these only. */
const UNSTABLE = "/_matrix/federation/unstable/io.element.msc4195/rtc/livekit/get_token";
const STABLE = "/_matrix/federation/v1/rtc/livekit/get_token";
const WRONG_PREFIX = "the registration needs io.element.msc4512.proxy_prefix: rtc/livekit";
const REMEDIES = {
  M_UNRECOGNIZED: "the homeserver has no fed_proxy (MSC4512; Synapse has it with " +
    "experimental_features.msc4512_enabled)",
  M_FORBIDDEN: "LIVEKIT_AS_TOKEN is not an application service's token",
  "IO.ELEMENT.MSC4512.M_FEDPROXY_DESTINATION_DENIED":
    "the homeserver may not ask that server (federation_domain_whitelist), or is that server " +
    "itself (check LIVEKIT_HS_SERVER_NAME)",
  "IO.ELEMENT.MSC4512.M_FEDPROXY_PATH_NOT_ALLOWED": WRONG_PREFIX,
  "IO.ELEMENT.MSC4512.M_FEDPROXY_NO_PROXY_PREFIX": WRONG_PREFIX,
  "IO.ELEMENT.MSC4512.M_FEDPROXY_CONNECTION_FAILED":
    "the homeserver cannot reach that server over federation",
};

/** Makes the function that asks. */
export function createRequestRemoteToken(options: FedProxyOptions): RequestRemoteToken {
  const { homeserver, clock } = options;

  async function askAt(
    path: string,
    destination: string,
    request: RemoteTokenRequest,
    deadline: number,
  ): Promise<RemoteAnswer> {
    const answer = await homeserver.ask({
      what: `fed_proxy to ${destination}`,
      path: FED_PROXY,
      body: { destination, method: "POST", path, body: formatRequest(request) },
      deadline,
    });
    if (answer.status !== 200) throw refusal(answer, REMEDIES);
    const remote = parseRemoteAnswer(answer.fields);
    if (remote !== undefined) return remote;
    const message = `${answer.where}: HTTP 200 without status and content of an answer`;
    throw new UpstreamError("answer", message);
  }

  return async (serverName, request, timeoutMs) => {
    const deadline = clock.monotonic() + timeoutMs;
    let answer = await askAt(UNSTABLE, serverName, request, deadline);
    if (isNoSuchPath(answer)) answer = await askAt(STABLE, serverName, request, deadline);
    return interpretRemoteAnswer(answer, `get_token of ${serverName}`);
  };
}

/** The newest form, and beside it what older servers read where the client has sent it. */
function formatRequest(request: RemoteTokenRequest): Record<string, unknown> {
  const { url, roomId, slotId, memberId, userId, claimedDeviceId } = request;
  return {
    ...(url !== undefined && { url }),
    room_id: roomId,
    slot_id: slotId,
    member_id: memberId,
    ...(claimedDeviceId !== undefined && {
      member: { id: memberId, claimed_device_id: claimedDeviceId },
    }),
    user_id: userId,
  };
}
