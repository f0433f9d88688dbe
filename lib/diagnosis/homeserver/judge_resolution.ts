import type { Finding } from "../check.ts";
import { printable } from "../../config/parse/quote_value.ts";
import type { FederationFacts } from "./federation.ts";
import type { ResolvedServer } from "../../verification/resolve_server.ts";

/** Hops at which the place itself is the trouble, and not what it answers. */
const PLACE_HOPS = ["dns", "policy", "tcp", "tls"];

/**
 * E1: judges where a server name leads, with the name that the certificate must be for and the
 * Host header, as both decide who answers behind a shared proxy.
 *
 * @param isRemote Whether it is somebody else's server (E7).
 */
export function judgeResolution(
  serverName: string,
  facts: FederationFacts,
  isRemote = false,
): Finding {
  if (facts.resolved === undefined) {
    return {
      verdict: "FAIL",
      evidence: facts.error.message,
      remedy: isRemote
        ? "Names of other servers cannot be looked up from here: give the service a name server " +
          "that knows the internet's names and SRV records."
        : `${serverName} cannot be found from here: correct its delegation or DNS, or set ` +
          "MATRIXRTC_FEDERATION_URL_OVERRIDES for it.",
    };
  }
  const { resolved, userinfo, calledName } = facts;
  const steps = describeSteps(resolved);
  if (!userinfo.answered && PLACE_HOPS.includes(userinfo.hop)) {
    const isGuess = resolved.target.endpoints.every(({ port }) => port === 8448);
    return {
      verdict: "FAIL",
      evidence: `${steps}: ${userinfo.message}`,
      remedy: remedyFor(serverName, userinfo.hop, isGuess, isRemote),
    };
  }
  if (calledName !== undefined && calledName !== serverName) {
    const shown = printable(calledName.slice(0, 255));
    return {
      verdict: "FAIL",
      evidence: `${steps}: the server there is called ${shown}, not ${serverName}`,
      remedy: `List ${shown}, the part after ':' in its users' IDs, in ` +
        "LIVEKIT_FULL_ACCESS_HOMESERVERS instead of the host name, or correct the delegation.",
    };
  }
  return { verdict: "PASS", evidence: steps };
}

/** For people: `example.org, delegated to m.example.org → 10.1.2.3:443, TLS name …, Host …`. */
function describeSteps({ how, target }: ResolvedServer): string {
  const { endpoints, protocol, tlsName, hostHeader } = target;
  const places = endpoints.map(({ host, port }) =>
    `${host.includes(":") ? `[${host}]` : host}:${port}`
  ).join(", ");
  const tls = protocol === "https" ? `TLS name ${tlsName}` : "no TLS";
  return `${how} → ${places}, ${tls}, Host ${hostHeader}`;
}

function remedyFor(serverName: string, hop: string, isGuess: boolean, isRemote: boolean): string {
  if (isRemote) {
    return "Outbound federation does not work from here, so other servers' users cannot be " +
      "verified: let the service connect to the outside on ports 443 and 8448.";
  }
  if (hop === "tls") {
    return "The certificate there must be for the TLS name shown: serve it for that name with its " +
      "full chain, or name its authority in MATRIXRTC_CA_FILE.";
  }
  if (isGuess) {
    return `Without a delegation ${serverName} means port 8448, which is closed: serve ` +
      "/.well-known/matrix/server, or set MATRIXRTC_FEDERATION_URL_OVERRIDES for it.";
  }
  return `${serverName} cannot be reached from here (hairpin NAT, firewall, split DNS?): set ` +
    "MATRIXRTC_FEDERATION_URL_OVERRIDES to an address that works inside.";
}
