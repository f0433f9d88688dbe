/** The tokens with which the service itself calls the SFU's API. */

import type { Clock } from "../clock.ts";
import type { Signer } from "./hs256.ts";

/** What a call to the SFU's API may do, by LiveKit's names. */
export type ServiceGrant = "roomCreate" | "roomList";

/** What issuing needs. */
export interface ServiceTokenOptions {
  /** The API key whose secret `sign` uses; it becomes `iss`. */
  readonly apiKey: string;
  readonly sign: Signer;
  readonly clock: Clock;
}

const TTL_SECONDS = 600;
/** A token is used again while it has at least this long to live. */
const FRESH_SECONDS = 300;

/**
 * Makes the function that hands out tokens for the service's own calls. One
 * token per grant is kept and used again until half its ten minutes have passed.
 */
export function createServiceTokens(
  { apiKey, sign, clock }: ServiceTokenOptions,
): (grant: ServiceGrant) => string {
  const kept = new Map<ServiceGrant, { token: string; issuedAt: number }>();
  return (grant) => {
    const now = Math.floor(clock.now() / 1000);
    const known = kept.get(grant);
    // A clock set back would make a token "not yet valid" for ever, hence the absolute difference.
    if (known !== undefined && Math.abs(now - known.issuedAt) <= TTL_SECONDS - FRESH_SECONDS) {
      return known.token;
    }
    const token = sign({ iss: apiKey, nbf: now, exp: now + TTL_SECONDS, video: { [grant]: true } });
    kept.set(grant, { token, issuedAt: now });
    return token;
  };
}
