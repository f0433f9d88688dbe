/** Join tokens of other servers' SFUs, asked for through the own homeserver, which signs. */

/** What a user of the own homeserver wants of another server. */
export interface RemoteTokenRequest {
  readonly userId: string;
  /** The other server's SFU; absent for clients that leave the choice to it. */
  readonly url: string | undefined;
  readonly roomId: string;
  readonly slotId: string;
  readonly memberId: string;
  /** What the client sent where `member_id` has been an object. */
  readonly claimedDeviceId: string | undefined;
}

/** What the other server says. */
export type RemoteTokenAnswer =
  | {
    readonly kind: "token";
    readonly joinToken: string;
    /** The SFU, where the server tells it. */
    readonly url: string | undefined;
  }
  /** 403 `M_FORBIDDEN`. */
  | { readonly kind: "forbidden" }
  /** 400 `M_INVALID_PARAM`. */
  | { readonly kind: "invalid-param" };

/**
 * Asks another server for a join token.
 *
 * @param serverName A valid server name, not the own one.
 * @throws {UpstreamError} For everything else that may come back, and when nothing does in time.
 */
export type RequestRemoteToken = (
  serverName: string,
  request: RemoteTokenRequest,
  timeoutMs: number,
) => Promise<RemoteTokenAnswer>;
