import { createHash, timingSafeEqual } from "node:crypto";
import { AccessTokenError } from "../matrix/errors.ts";
import type { Secret } from "../secret.ts";

const BEARER = /^Bearer +(\S+) *$/i;

/**
 * Makes the check that a request comes from the homeserver: by the token that the
 * registration gives it, in the `Authorization` header.
 *
 * The check takes as long for any wrong token.
 *
 * @returns Throws {@linkcode AccessTokenError}: `M_MISSING_TOKEN`, or `M_UNKNOWN_TOKEN`.
 * @see {@link https://spec.matrix.org/v1.18/application-service-api/#authorization}
 */
export function createHsTokenCheck(hsToken: Secret): (headers: Headers) => void {
  // Hashes have one length, so not even that of the token can be measured.
  const expected = hashOf(hsToken.reveal());
  return (headers) => {
    const match = BEARER.exec(headers.get("authorization") ?? "");
    if (match === null) throw new AccessTokenError("M_MISSING_TOKEN", "Missing access token");
    if (timingSafeEqual(hashOf(match[1]!), expected)) return;
    throw new AccessTokenError("M_UNKNOWN_TOKEN", "Unknown access token");
  };
}

function hashOf(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}
