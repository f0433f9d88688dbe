/** Tries the places where media would go, as far as that can be done without WebRTC. */

import { isIP } from "node:net";
import { UpstreamError } from "../../matrix/errors.ts";
import { createConnect } from "../../net/connect.ts";
import { createTarget } from "../../net/target.ts";
import { createAddressPolicy } from "../../net/address_policy.ts";
import type { DoctorContext } from "../context.ts";
import { formatCandidate, type IceCandidate } from "../livekit/ice_candidate.ts";
import { type IceServerPlace, parseIceServerUrl } from "./ice_server_url.ts";
import { answersStun } from "./stun.ts";

/** A place that was tried. */
export interface TriedPlace {
  /** For people: `tcp 203.0.113.7:7881`, `turn:turn.example.org:3478?transport=udp`. */
  readonly name: string;
  readonly kind: "candidate" | "stun" | "turn";
  /** Why it is of no use; absent where it works. */
  readonly trouble?: string;
}

/** H1: connects to the candidates for media over TCP. */
export function tryTcpCandidates(
  context: DoctorContext,
  candidates: readonly IceCandidate[],
): Promise<TriedPlace[]> {
  const overTcp = candidates.filter(({ transport, address, port }) =>
    // Names ending in .local are for browsers; port 9 means that nobody listens (RFC 6544).
    transport === "tcp" && isIP(address) !== 0 && port !== 9
  );
  return Promise.all(overTcp.map(async (candidate): Promise<TriedPlace> => {
    const { address: host, port } = candidate;
    const trouble = await connectTo(context, { host, port, isTls: false });
    return { name: formatCandidate(candidate), kind: "candidate", ...trouble && { trouble } };
  }));
}

/** H3: asks STUN and TURN servers over UDP, and connects to the others. */
export function tryIceServers(
  context: DoctorContext,
  urls: readonly string[],
): Promise<TriedPlace[]> {
  return Promise.all([...new Set(urls)].map(async (url): Promise<TriedPlace> => {
    const place = parseIceServerUrl(url);
    const name = url.slice(0, 200);
    if (place === undefined) {
      return { name, kind: "turn", trouble: "this is no URL of such a server" };
    }
    const { transport } = place;
    const trouble = transport === "udp"
      ? await askOverUdp(context, place)
      : await connectTo(context, { ...place, isTls: transport === "tls" });
    return { name, kind: place.kind, ...trouble && { trouble } };
  }));
}

async function askOverUdp(
  { lookup, clock }: DoctorContext,
  { host, port }: IceServerPlace,
): Promise<string | undefined> {
  let addresses: readonly string[];
  try {
    addresses = isIP(host) === 0 ? await lookup(host) : [host];
  } catch {
    return "the name has no address here";
  }
  for (const address of addresses.slice(0, 4)) {
    if (await answersStun(address, port, clock)) return undefined;
  }
  return "no answer over UDP";
}

async function connectTo(
  context: DoctorContext,
  { host, port, isTls }: { host: string; port: number; isTls: boolean },
): Promise<string | undefined> {
  const connect = createConnect({
    ...context,
    policy: createAddressPolicy([]),
    // Clients do verify.
    insecureSkipVerifyTls: false,
    // Media goes past any proxy for web pages.
    proxy: { except: [] },
  });
  try {
    const socket = await connect(createTarget({
      protocol: isTls ? "https" : "http",
      endpoints: [{ host, port }],
      tlsName: host,
      hostHeader: host,
      mayBePrivate: true,
      maxConnections: 1,
    }));
    socket.destroy();
    return undefined;
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    return error.message;
  }
}
