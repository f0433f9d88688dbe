/**
 * The guard against server-side request forgery: which addresses a name that a
 * client chose may resolve to. It judges the very address that is connected to,
 * after DNS, so a name server cannot answer one thing to the check and another
 * to the connection.
 */

import { isIP } from "node:net";
import ipaddr from "ipaddr.js";

/** Says whether an address, as text, may be connected to. */
export type AddressPolicy = (address: string) => boolean;

type Address = ipaddr.IPv4 | ipaddr.IPv6;

// ipaddr.js calls anything without a special purpose "unicast", for IPv6 also what nobody has
// assigned yet; the global unicast space of today is 2000::/3.
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR("2000::/3");
// Mapped, translated (RFC 7915), and the one NAT64 prefix that is the same everywhere. Prefixes of
// local use, 64:ff9b:1::/48 among them, may hold the IPv4 address at another place: never allowed.
const MAPPED_RANGES = ["::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96"]
  .map((network) => ipaddr.IPv6.parseCIDR(network));

/**
 * Allows global unicast addresses, and those of the listed networks.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createAddressPolicy } from "./address_policy.ts";
 *
 * const allows = createAddressPolicy(["10.1.0.0/16"]);
 * assertEquals(allows("93.184.215.14"), true);
 * assertEquals(allows("10.1.2.3"), true);
 * assertEquals(allows("169.254.169.254"), false);
 * assertEquals(allows("::ffff:127.0.0.1"), false);
 * ```
 *
 * @param allowedNetworks CIDRs (`10.1.0.0/16`, `fd00::/8`).
 * @returns The policy; it answers `false` for text that is no address.
 * @throws {Error} For a network that is no CIDR.
 */
export function createAddressPolicy(allowedNetworks: readonly string[]): AddressPolicy {
  const networks = allowedNetworks.map((network) => ipaddr.parseCIDR(network));
  const isListed = (address: Address) =>
    networks.some(([base, bits]) => base.kind() === address.kind() && address.match(base, bits));
  return (text) => {
    // ipaddr.js reads more than addresses: octal and hexadecimal parts, single numbers.
    if (isIP(text) === 0) return false;
    const address = ipaddr.parse(text);
    if (isListed(address)) return true;
    const embedded = embeddedIpv4(address);
    if (embedded !== undefined) return isListed(embedded) || isGlobalUnicast(embedded);
    return isGlobalUnicast(address);
  };
}

function isGlobalUnicast(address: Address): boolean {
  if (address.range() !== "unicast") return false;
  return address.kind() === "ipv4" || address.match(GLOBAL_IPV6);
}

// A NAT64 gateway or the kernel connects these to the IPv4 address inside, so that one is judged.
function embeddedIpv4(address: Address): ipaddr.IPv4 | undefined {
  if (address.kind() === "ipv4") return undefined;
  const ipv6 = address as ipaddr.IPv6;
  if (!MAPPED_RANGES.some((range) => ipv6.match(range))) return undefined;
  return new ipaddr.IPv4(ipv6.toByteArray().slice(12));
}
