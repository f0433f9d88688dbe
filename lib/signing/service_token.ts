/** The tokens with which the service itself calls the SFU's API. */

import { LRUCache } from "lru-cache";
import type { Clock } from "../clock.ts";
import type { Signer } from "./hs256.ts";

/** What a call to the SFU's API may do, by LiveKit's names; `roomAdmin` is of one room only. */
export type ServiceGrant = "roomCreate" | "roomList" | { readonly roomAdmin: string };

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
/** Half a kilobyte each. One takes 3 µs to make, so it is no loss when the least used ones go. */
const MAX_KEPT = 1_024;

/**
 * Makes the function that hands out tokens for the service's own calls. One
 * token per grant is kept and used again until half its ten minutes have passed.
 */
export function createServiceTokens(
  { apiKey, sign, clock }: ServiceTokenOptions,
): (grant: ServiceGrant) => string {
  const kept = new LRUCache<string, { token: string; issuedAt: number }>({ max: MAX_KEPT });
  return (grant) => {
    const now = Math.floor(clock.now() / 1000);
    // A room may have any name, so the names of the other grants need a form of their own.
    const name = typeof grant === "string" ? grant : `roomAdmin ${grant.roomAdmin}`;
    const known = kept.get(name);
    // A clock set back would make a token "not yet valid" for ever, hence the absolute difference.
    if (known !== undefined && Math.abs(now - known.issuedAt) <= TTL_SECONDS - FRESH_SECONDS) {
      return known.token;
    }
    const video = typeof grant === "string"
      ? { [grant]: true }
      : { roomAdmin: true, room: grant.roomAdmin };
    const token = sign({ iss: apiKey, nbf: now, exp: now + TTL_SECONDS, video });
    kept.set(name, { token, issuedAt: now });
    return token;
  };
}
