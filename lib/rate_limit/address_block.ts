import { isIP } from "node:net";
import ipaddr from "ipaddr.js";

/** An IP address, read. */
export type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Longer texts are no addresses: IPv6 with a zone takes 45 characters and the name of an interface. */
const MAX_LENGTH = 64;

/**
 * Reads an address. IPv4 inside IPv6, as dual-stack sockets write it, is read as IPv4; a zone
 * (`fe80::1%eth0`) is left out.
 *
 * @returns `undefined` for text that is no address.
 */
export function readAddress(text: string): Address | undefined {
  // ipaddr.js reads more than addresses: octal and hexadecimal parts, single numbers.
  if (text.length > MAX_LENGTH || isIP(text) === 0) return undefined;
  return ipaddr.process(text.replace(/%.*/s, ""));
}

/**
 * Names the addresses that one customer of a provider has, so that nobody counts for more by
 * changing from one to another: an IPv4 address by itself, an IPv6 address by its /64.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { blockOf, readAddress } from "./address_block.ts";
 *
 * assertEquals(blockOf(readAddress("::ffff:203.0.113.7")!), "203.0.113.7");
 * assertEquals(blockOf(readAddress("2001:db8:0:2::1")!), "2001:db8:0:2::/64");
 * ```
 */
export function blockOf(address: Address): string {
  if (address instanceof ipaddr.IPv4) return address.toString();
  const prefix = address.parts.slice(0, 4).map((part) => part.toString(16));
  return `${prefix.join(":")}::/64`;
}
