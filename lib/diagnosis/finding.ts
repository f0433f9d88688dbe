/** Findings, short to write. */

import type { Hop } from "../matrix/errors.ts";
import type { Finding } from "./check.ts";
import type { NoAnswer } from "./probe.ts";

/** All is well. */
export function pass(evidence: string): Finding {
  return { verdict: "PASS", evidence };
}

/** It does not apply, or could not be told from here. */
export function skip(evidence: string): Finding {
  return { verdict: "SKIP", evidence };
}

/** It works, but not for everybody, or not for long. */
export function warn(evidence: string, remedy: string): Finding {
  return { verdict: "WARN", evidence, remedy };
}

/** It does not work. */
export function fail(evidence: string, remedy: string): Finding {
  return { verdict: "FAIL", evidence, remedy };
}

const REMEDIES: Readonly<Record<Hop, (host: string) => string>> = {
  policy: (host) =>
    `${host} is on a network that is not public: if it may be reached, list the network in ` +
    "MATRIXRTC_ALLOW_NETWORKS.",
  dns: (host) =>
    `${host} cannot be resolved here: add it to DNS, or where names differ inside, give this ` +
    "service a host entry (extra_hosts, hostAliases) or a DNS override.",
  tcp: (host) =>
    `Nothing accepts connections there: look at the firewall, the proxy's port, and whether a ` +
    `container reaches its own public address (hairpin NAT); if not, add a host entry for ${host}.`,
  tls: (host) =>
    `The certificate for ${host} is not accepted here: serve the full chain for that name, ` +
    "renew it if it has expired, or name a private authority in MATRIXRTC_CA_FILE.",
  http: (host) =>
    `${host} accepts connections and then gives no whole answer: look at what listens there, ` +
    "and at the proxy's timeouts.",
  answer: (host) => `Look at what ${host} answers.`,
  load: (host) => `Too much is under way for ${host}: try again.`,
};

/**
 * No answer came at all: the hop says why, and what to do.
 *
 * @param url What was asked for.
 */
export function unreachable({ hop, message }: NoAnswer, url: string): Finding {
  return fail(message, REMEDIES[hop](URL.parse(url)?.hostname ?? url));
}
