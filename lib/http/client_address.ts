/** From which address a request really comes. */

import ipaddr from "ipaddr.js";
import { type Address, blockOf, readAddress } from "../rate_limit/address_block.ts";
import { readForwarded } from "./forwarded.ts";

/** What the server tells of the other end of a connection; only the address counts. */
export interface Peer {
  readonly remoteAddr: { readonly transport: string; readonly hostname?: string };
}

/**
 * Names the client of a request by its address's block.
 *
 * @returns `undefined` where no more than a proxy's address is known.
 */
export type ClientOf = (headers: Headers, peer: Peer | undefined) => string | undefined;

/** What is known of an address. */
interface Known {
  /** `undefined` for text that is no address. */
  readonly block: string | undefined;
  readonly isTrusted: boolean;
}

/** Proxies are few, and clients come several times, so most addresses have been seen before. */
const MAX_KNOWN = 1_000;
/** What is longer is no address, and not worth keeping. */
const MAX_LENGTH = 64;
const NO_ADDRESS: Known = { block: undefined, isTrusted: false };

/**
 * Makes the function that finds the client.
 *
 * The peer itself is the client, unless it is a trusted proxy: then the client is whom that names,
 * and so on from proxy to proxy until one is not trusted, or an entry cannot be read.
 *
 * @example A client that claims to be somebody else, behind a proxy
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createClientOf } from "./client_address.ts";
 *
 * const clientOf = createClientOf(["127.0.0.0/8"]);
 * const headers = new Headers({ "x-forwarded-for": "8.8.8.8, 203.0.113.7" });
 * const proxy = { remoteAddr: { transport: "tcp", hostname: "127.0.0.1" } };
 * assertEquals(clientOf(headers, proxy), "203.0.113.7");
 * ```
 *
 * @param trustedProxies CIDRs; none: no header is believed. A unix socket's peer is trusted if
 * anybody is, as it has no address of its own.
 */
export function createClientOf(trustedProxies: readonly string[]): ClientOf {
  const networks = trustedProxies.map((network) => ipaddr.parseCIDR(network));
  const isTrusted = (address: Address) =>
    networks.some(([base, bits]) => base.kind() === address.kind() && address.match(base, bits));
  const socket: Known = { block: undefined, isTrusted: networks.length > 0 };
  const seen = new Map<string, Known>();

  function know(text: string): Known {
    const known = seen.get(text);
    if (known !== undefined) return known;
    if (text.length > MAX_LENGTH) return NO_ADDRESS;
    const address = readAddress(text);
    const found = address === undefined
      ? NO_ADDRESS
      : { block: blockOf(address), isTrusted: isTrusted(address) };
    if (seen.size >= MAX_KNOWN) seen.clear();
    seen.set(text, found);
    return found;
  }

  return (headers, peer) => {
    if (peer === undefined) return undefined;
    const { hostname } = peer.remoteAddr;
    const { block, isTrusted } = hostname === undefined ? socket : know(hostname);
    if (!isTrusted) return block;
    for (const text of readForwarded(headers)) {
      const { block, isTrusted } = know(text);
      if (!isTrusted) return block;
    }
    return undefined;
  };
}
