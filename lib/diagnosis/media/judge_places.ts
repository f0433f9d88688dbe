/** What the places for media are worth. */

import ipaddr from "ipaddr.js";
import type { Finding } from "../check.ts";
import { formatCandidate, type IceCandidate } from "../livekit/ice_candidate.ts";
import type { TriedPlace } from "./places.ts";

/** H1: judges the candidates over TCP, of which one that is open is enough. */
export function judgeTcp(tried: readonly TriedPlace[]): Finding {
  if (tried.length === 0) {
    return {
      verdict: "WARN",
      evidence: "LiveKit offers no media over TCP",
      remedy:
        "Set rtc.tcp_port (7881) in LiveKit's configuration: where UDP is blocked it is the " +
        "way that is left.",
    };
  }
  const evidence = describe(tried);
  if (tried.some(({ trouble }) => trouble === undefined)) return { verdict: "PASS", evidence };
  return {
    verdict: "FAIL",
    evidence,
    remedy: "Open or forward LiveKit's rtc.tcp_port (7881/tcp), not through the HTTP proxy.",
  };
}

/** H3: judges STUN and TURN servers; of the STUN servers, often somebody else's, one is enough. */
export function judgeIceServers(tried: readonly TriedPlace[]): Finding {
  if (tried.length === 0) {
    return { verdict: "SKIP", evidence: "LiveKit advertises no STUN or TURN servers" };
  }
  const evidence = describe(tried);
  const isBroken = ({ trouble }: TriedPlace) => trouble !== undefined;
  const turn = tried.filter(({ kind }) => kind === "turn");
  if (turn.some(isBroken)) {
    return {
      verdict: "FAIL",
      evidence,
      remedy: "Open the TURN ports; the certificate for TLS must be for turn.domain. LiveKit's " +
        "own TURN listens on IPv4 only.",
    };
  }
  const stun = tried.filter(({ kind }) => kind === "stun");
  if (turn.length === 0 && stun.every(isBroken)) {
    return {
      verdict: "WARN",
      evidence,
      remedy: "No STUN server answers here: let UDP out, or enable TURN or set rtc.stun_servers " +
        "in LiveKit's configuration.",
    };
  }
  return { verdict: "PASS", evidence };
}

/** The ranges that containers' bridges are made in by default. */
const BRIDGES = ["172.17.0.0/16", "172.18.0.0/15", "172.20.0.0/14", "172.24.0.0/14", "10.88.0.0/16"]
  .map((network) => ipaddr.IPv4.parseCIDR(network));

/**
 * H4: judges whether addresses are offered that no client can reach.
 *
 * @param isPublic Whether clients reach LiveKit's signalling at a public address.
 * @param isPublicAddress Whether an address is public.
 */
export function judgeAddresses(
  candidates: readonly IceCandidate[],
  isPublic: boolean,
  isPublicAddress: (address: string) => boolean,
): Finding {
  if (candidates.length === 0) return { verdict: "SKIP", evidence: "LiveKit offers no place (F5)" };
  const useless = candidates.filter(({ address }) =>
    isPublic ? !isPublicAddress(address) : isBridge(address)
  );
  if (useless.length === 0) {
    const evidence = isPublic
      ? "all addresses are public"
      : "no addresses of containers; LIVEKIT_URL is not public either";
    return { verdict: "PASS", evidence };
  }
  return {
    verdict: "WARN",
    evidence: `not for clients: ${useless.map(formatCandidate).join(", ")}`,
    remedy: "Set rtc.node_ip, rtc.interfaces or external_ip_only in LiveKit's configuration, so " +
      "that container and private addresses are not offered.",
  };
}

function isBridge(address: string): boolean {
  if (!ipaddr.IPv4.isValidFourPartDecimal(address)) return false;
  const parsed = ipaddr.IPv4.parse(address);
  return BRIDGES.some((network) => parsed.match(network));
}

function describe(tried: readonly TriedPlace[]): string {
  return tried.map(({ name, trouble }) =>
    `${name} ${trouble === undefined ? "open" : `(${trouble})`}`
  )
    .join(", ");
}
