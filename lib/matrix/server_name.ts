/**
 * The grammar of Matrix server names. Names are compared as they are written:
 * case counts, and so does a port.
 *
 * @see {@link https://spec.matrix.org/v1.18/appendices/#server-name}
 */

import { isIP } from "node:net";

/** A server name taken apart; nothing is normalised. */
export interface ServerName {
  /** The host without port; an IPv6 literal without its brackets. */
  readonly host: string;
  /** The port, if the name has one. */
  readonly port: number | undefined;
  /** Whether the host is an address rather than a name that DNS knows. */
  readonly isIpLiteral: boolean;
}

// The spec allows 255 characters for a DNS name and says nothing of the whole; a user ID, which
// contains the whole, has 255 bytes, so no longer server name can have users.
const MAX_LENGTH = 255;
const SERVER_NAME = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9.-]{1,255}))(?::([0-9]{1,5}))?$/;

/**
 * Takes a server name apart.
 *
 * @example Names with and without a port
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseServerName } from "./server_name.ts";
 *
 * assertEquals(parseServerName("example.org"), {
 *   host: "example.org",
 *   port: undefined,
 *   isIpLiteral: false,
 * });
 * assertEquals(parseServerName("[::1]:8448"), { host: "::1", port: 8448, isIpLiteral: true });
 * assertEquals(parseServerName("https://example.org"), undefined);
 * ```
 *
 * @returns The parts, or `undefined` where the text is no server name. A port
 * must lie in 1–65535. Numeric hosts that are no dotted quad (`127.1`,
 * `2130706433`) are refused: resolvers read them as addresses.
 */
export function parseServerName(text: string): ServerName | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const match = SERVER_NAME.exec(text);
  if (match === null) return undefined;
  const [, ipv6, name, digits] = match;
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && (port < 1 || port > 65535)) return undefined;
  if (ipv6 !== undefined) {
    return isIP(ipv6) === 6 ? { host: ipv6, port, isIpLiteral: true } : undefined;
  }
  if (isIP(name!) === 4) return { host: name!, port, isIpLiteral: true };
  return isDnsName(name!) ? { host: name!, port, isIpLiteral: false } : undefined;
}

/**
 * Says whether a text is a server name by the spec's grammar.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { isServerName } from "./server_name.ts";
 *
 * assertEquals(isServerName("matrix.example.org:8448"), true);
 * assertEquals(isServerName("user@example.org"), false);
 * ```
 */
export function isServerName(text: string): boolean {
  return parseServerName(text) !== undefined;
}

// Stricter than the grammar where the difference can only do harm: an empty label resolves nowhere,
// and a last label of digits (or 0x…) is an address to getaddrinfo(3), not a name.
function isDnsName(name: string): boolean {
  if (name.includes("..") || name.startsWith(".")) return false;
  const labels = name.split(".");
  if (labels.at(-1) === "") labels.pop();
  return labels.every((label) => label.length <= 63) &&
    !/^(0[xX][0-9A-Fa-f]*|\d+)$/.test(labels.at(-1)!);
}
