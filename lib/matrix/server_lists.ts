/** Lists of server names, and who is on them. */

import ipaddr from "ipaddr.js";
import { parseServerName } from "./server_name.ts";

/**
 * Says whether users of a server may cause a LiveKit room to be created.
 *
 * A name matches whole: listing `example.org` admits neither `sub.example.org`
 * nor `example.org:8448`.
 *
 * @example A listed server and its neighbour
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { hasFullAccess } from "./server_lists.ts";
 *
 * assertEquals(hasFullAccess("example.org", ["example.org"]), true);
 * assertEquals(hasFullAccess("sub.example.org", ["example.org"]), false);
 * ```
 *
 * @param serverName The server that vouched for the user, not the one claimed.
 * @param listed Configured server names; `"*"` alone admits every server.
 */
export function hasFullAccess(serverName: string, listed: readonly string[]): boolean {
  return listed.includes(serverName) || (listed.length === 1 && listed[0] === "*");
}

/** Whose users may come at all. Entries are server names, or `*.example.org`. */
export interface HomeserverLists {
  /** Absent: all that are not blocked. */
  readonly allowed?: readonly string[];
  readonly blocked: readonly string[];
}

/**
 * Says whether users of a server may come at all.
 *
 * A blocked host is blocked however it is spelt, with any port: names are
 * compared letter by letter elsewhere, but DNS knows no case, so `EVIL.example`
 * would otherwise walk past a block of `evil.example`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { isAdmitted } from "./server_lists.ts";
 *
 * const lists = { allowed: ["*.example.org"], blocked: ["evil.example.org"] };
 * assertEquals(isAdmitted("good.example.org", lists), true);
 * assertEquals(isAdmitted("EVIL.example.org:443", lists), false);
 * assertEquals(isAdmitted("example.org", lists), false);
 * ```
 *
 * @param serverName A valid server name.
 */
export function isAdmitted(serverName: string, { allowed, blocked }: HomeserverLists): boolean {
  const host = hostOf(serverName);
  if (blocked.some((entry) => isUnder(host, entry) || hostOf(entry) === host)) return false;
  return allowed?.some((entry) => isUnder(host, entry) || entry === serverName) ?? true;
}

function isUnder(host: string, entry: string): boolean {
  return entry.startsWith("*.") && host.endsWith(entry.slice(1).toLowerCase());
}

function hostOf(serverName: string): string {
  const { host, isIpLiteral } = parseServerName(serverName) ?? { host: serverName };
  // IPv6 can be written in many ways, IPv4 inside it among them.
  if (isIpLiteral) return ipaddr.process(host).toString();
  return host.toLowerCase().replace(/\.$/, "");
}
