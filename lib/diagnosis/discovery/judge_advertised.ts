/** Judges whether what is advertised is this service. */

import type { Finding } from "../check.ts";
import { fail, pass, skip } from "../finding.ts";

/** What C4 compares. */
export interface AdvertisedFacts {
  /** What the server's well-known file says; absent where it says nothing usable. */
  readonly advertised?: string;
  /** What was told on the command line. */
  readonly expected?: string;
  /** Whether a service like this one answers at what is advertised. */
  readonly answers: boolean;
  /** Where one answers on the same host, if not there. */
  readonly elsewhere?: string;
}

/** C4: is it this service that clients are sent to, path included. */
export function judgeAdvertised(facts: AdvertisedFacts): Finding {
  const { advertised, expected, answers, elsewhere } = facts;
  if (advertised === undefined) return skip("nothing usable is advertised (C2)");
  if (expected !== undefined && !isSame(advertised, expected)) {
    return fail(
      `livekit_service_url is ${advertised}, expected was ${expected}`,
      `Set livekit_service_url to ${expected}, letter by letter, path included: clients get ` +
        "their tokens somewhere else now, and wait for media for ever.",
    );
  }
  if (answers) return pass(`${advertised} leads to an authorization service`);
  if (elsewhere !== undefined) {
    return fail(
      `livekit_service_url is ${advertised}, but the service answers at ${elsewhere}`,
      `livekit_service_url misses the path to the service: set it to ${elsewhere}.`,
    );
  }
  return fail(
    `no authorization service answers at ${advertised}`,
    "Set livekit_service_url to the public address of this service, or route that address to it; " +
      "group D says what answers there now.",
  );
}

function isSame(a: string, b: string): boolean {
  return a.replace(/\/+$/, "") === b.replace(/\/+$/, "");
}
