import type { Finding } from "../check.ts";
import { fail, pass, skip, warn } from "../finding.ts";

/** How it stands with one of the operator's public hosts, seen from here. */
export interface PublicHost {
  readonly host: string;
  /** Whether any of its addresses accepts a connection; absent where there is no address. */
  readonly isOpen?: boolean;
  /** Whether the service itself has to reach it. */
  readonly isForService: boolean;
}

/** B3: can the service's own public names be reached from inside. */
export function judgeHairpin(hosts: readonly PublicHost[]): Finding {
  const known = hosts.filter(({ isOpen }) => isOpen !== undefined);
  if (known.length === 0) return skip("no public name has an address (B1)");
  const closed = known.filter(({ isOpen }) => isOpen === false);
  if (closed.length === 0) return pass(known.map(({ host }) => host).join(", "));
  const names = closed.map(({ host }) => host).join(", ");
  const judge = closed.some(({ isForService }) => isForService) ? fail : warn;
  return judge(
    `${names} cannot be connected to from here`,
    "If it works from outside, this network does not reach its own public address (no hairpin " +
      "NAT, or a firewall between container and host): give the service a host entry " +
      "(extra_hosts … host-gateway), or set LIVEKIT_INTERNAL_URL, " +
      "MATRIXRTC_FEDERATION_URL_OVERRIDES and LIVEKIT_CS_API_URL_OVERRIDES to inner addresses.",
  );
}
