/** Places of STUN and TURN servers, as clients are told them (RFC 7064, RFC 7065). */

/** One of them. */
export interface IceServerPlace {
  readonly kind: "stun" | "turn";
  /** A name, or an IP literal without brackets. */
  readonly host: string;
  readonly port: number;
  readonly transport: "udp" | "tcp" | "tls";
}

const URI =
  /^(stuns?|turns?):(\[[0-9a-f:.]+\]|[^:?[\]]+)(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?$/i;
const PORT = 3478;
const TLS_PORT = 5349;

/**
 * Reads a URL of a STUN or TURN server.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseIceServerUrl } from "./ice_server_url.ts";
 *
 * assertEquals(
 *   parseIceServerUrl("turns:turn.example.org:443?transport=tcp"),
 *   { kind: "turn", host: "turn.example.org", port: 443, transport: "tls" },
 * );
 * assertEquals(parseIceServerUrl("https://turn.example.org"), undefined);
 * ```
 *
 * @returns `undefined` for what is none.
 */
export function parseIceServerUrl(url: string): IceServerPlace | undefined {
  const match = URI.exec(url);
  if (match === null) return undefined;
  const [, scheme = "", host = "", port, transport] = match;
  const isTls = scheme.toLowerCase().endsWith("s");
  return {
    kind: scheme.toLowerCase().startsWith("stun") ? "stun" : "turn",
    host: host.replace(/^\[|\]$/g, ""),
    port: port === undefined ? isTls ? TLS_PORT : PORT : Number(port),
    transport: isTls ? "tls" : transport?.toLowerCase() === "tcp" ? "tcp" : "udp",
  };
}
