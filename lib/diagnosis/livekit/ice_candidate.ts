/** Places that the SFU offers for media, as they stand in its signalling. */

/** One of them. */
export interface IceCandidate {
  readonly transport: "udp" | "tcp";
  /** An IP literal, or a name that ends in `.local`. */
  readonly address: string;
  readonly port: number;
  /** `host`, `srflx`, `prflx` or `relay`. */
  readonly type: string;
}

const CANDIDATE = /candidate:\S+ \d+ (udp|tcp) \d+ ([0-9a-z.:_%-]+) (\d{1,5}) typ ([a-z]+)/i;

/**
 * Reads a candidate (RFC 8839 §5.1).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseCandidate } from "./ice_candidate.ts";
 *
 * assertEquals(
 *   parseCandidate("candidate:1 1 tcp 1671430143 203.0.113.7 7881 typ host tcptype passive"),
 *   { transport: "tcp", address: "203.0.113.7", port: 7881, type: "host" },
 * );
 * assertEquals(parseCandidate("a=sendrecv"), undefined);
 * ```
 *
 * @param text With or without `a=` before it.
 * @returns `undefined` for what is none.
 */
export function parseCandidate(text: string): IceCandidate | undefined {
  const match = CANDIDATE.exec(text);
  if (match === null) return undefined;
  const [, transport, address, port, type] = match;
  const isTcp = transport!.toLowerCase() === "tcp";
  return { transport: isTcp ? "tcp" : "udp", address: address!, port: Number(port), type: type! };
}

/** Those of a session description, and none twice. */
export function candidatesIn(sdp: string): IceCandidate[] {
  return unique(
    sdp.split(/\r?\n/).map(parseCandidate).filter((candidate) => candidate !== undefined),
  );
}

/** Leaves out what is there already: each comes once for RTP and once for RTCP. */
export function unique(candidates: readonly IceCandidate[]): IceCandidate[] {
  return [...new Map(candidates.map((one) => [formatCandidate(one), one])).values()];
}

/** For people: `udp 203.0.113.7:50001`. */
export function formatCandidate({ transport, address, port }: IceCandidate): string {
  return `${transport} ${address.includes(":") ? `[${address}]` : address}:${port}`;
}
