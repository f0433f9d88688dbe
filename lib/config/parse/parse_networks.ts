import ipaddr from "ipaddr.js";
import { InvalidValueError, type ParseContext } from "./invalid_value.ts";
import { quoteValue } from "./quote_value.ts";
import { splitList } from "./split_list.ts";

/** What `private` stands for: loopback, private and link-local addresses, none of them routed. */
const PRIVATE_NETWORKS = [
  "127.0.0.0/8",
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "169.254.0.0/16",
  "::1/128",
  "fc00::/7",
  "fe80::/10",
];

/**
 * Parses a list of networks as CIDRs; an address alone is a network of one.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseNetworks } from "./parse_networks.ts";
 *
 * const context = { warn: () => {}, readFile: () => "" };
 * assertEquals(parseNetworks("10.1.2.3/8, ::1", context), ["10.0.0.0/8", "::1/128"]);
 * ```
 */
export function parseNetworks(text: string, context: ParseContext): readonly string[] {
  const entries = splitList(text);
  if (entries.length === 0) throw new InvalidValueError("it names no network");
  const networks = entries.map(parseNetwork);
  for (const network of networks) {
    if (network.endsWith("/0")) context.warn(`lists ${network}, which is every address there is`);
  }
  return [...new Set(networks)];
}

/**
 * Parses the list of proxies whose forwarding headers are believed: networks, `private` for
 * all that are not routed on the internet, or `none`.
 *
 * @example
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { parseTrustedProxies } from "./parse_networks.ts";
 *
 * const context = { warn: () => {}, readFile: () => "" };
 * assertEquals(parseTrustedProxies("none", context), []);
 * assert(parseTrustedProxies("private", context).includes("10.0.0.0/8"));
 * ```
 */
export function parseTrustedProxies(text: string, context: ParseContext): readonly string[] {
  const entries = splitList(text);
  if (entries.length === 1 && entries[0]!.toLowerCase() === "none") return [];
  const expanded = entries.flatMap((entry) =>
    entry.toLowerCase() === "private" ? PRIVATE_NETWORKS : [entry]
  );
  return parseNetworks(expanded.join(" "), context);
}

function parseNetwork(text: string): string {
  const [, address, bits] = /^([0-9A-Fa-f:.]+)(?:\/([0-9]{1,3}))?$/.exec(text) ?? [];
  const parsed = address === undefined ? undefined : parseAddress(address);
  if (parsed === undefined) throw new InvalidValueError(`${quoteValue(text)} is no network`);
  const width = parsed.kind() === "ipv4" ? 32 : 128;
  const prefix = bits === undefined ? width : Number(bits);
  if (prefix > width) {
    throw new InvalidValueError(`${quoteValue(text)} has more than ${width} bits of prefix`);
  }
  // Peers show up by their IPv4 address, so a mapped network would never match.
  if (parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() && prefix >= 96) {
    return firstAddress(parsed.toIPv4Address(), prefix - 96);
  }
  return firstAddress(parsed, prefix);
}

function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  // ipaddr.js also reads 10.1, octal and hexadecimal parts; an operator who writes those errs.
  if (!text.includes(":")) {
    return ipaddr.IPv4.isValidFourPartDecimal(text) ? ipaddr.IPv4.parse(text) : undefined;
  }
  return ipaddr.IPv6.isValid(text) ? ipaddr.IPv6.parse(text) : undefined;
}

function firstAddress(address: ipaddr.IPv4 | ipaddr.IPv6, prefix: number): string {
  const bytes = address.toByteArray().map((byte, index) => {
    const kept = Math.min(8, Math.max(0, prefix - index * 8));
    return byte & (0xff << (8 - kept)) & 0xff;
  });
  return `${ipaddr.fromByteArray(bytes).toString()}/${prefix}`;
}
