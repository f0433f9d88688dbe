import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import type { Finding } from "../check.ts";
import { fail, pass, warn } from "../finding.ts";
import type { Host } from "./hosts.ts";

/** What a name resolves to; a text is why it does not. */
export type Addresses = readonly string[] | { readonly error: string };

/** B1: does a name have addresses, and such as they should be. */
export function judgeAddresses(
  { host, roles, isForClients }: Pick<Host, "host" | "roles" | "isForClients">,
  addresses: Addresses,
): Finding {
  const what = roles.join(", ");
  if ("error" in addresses) {
    return fail(
      `${host} (${what}) has no address here: ${addresses.error}`,
      `Add ${host} to DNS; where names differ inside, give this service a host entry ` +
        "(extra_hosts, hostAliases) or a DNS override, or use an override of its URL.",
    );
  }
  const shown = addresses.map((address) => `${address}${noteOf(address)}`).join(", ");
  const dead = addresses.find((address) => /^(?:0\.0\.0\.0|::)$/.test(address));
  if (dead !== undefined) {
    return fail(
      `${host} (${what}): ${shown}`,
      `${dead} is no address of anybody: a filter or blocklist answers for ${host}. Except it there.`,
    );
  }
  const isLocal = host === "localhost" || host.endsWith(".localhost") || isIP(host) !== 0;
  if (isForClients && !isLocal && addresses.some((address) => rangeOf(address) === "loopback")) {
    return warn(
      `${host} (${what}): ${shown}`,
      `${host} is this very machine or container here: fix the host entry or DNS override, unless ` +
        "what it names does run in it.",
    );
  }
  return pass(`${what}: ${shown}`);
}

function noteOf(address: string): string {
  const range = rangeOf(address);
  if (range === "loopback") return " (loopback)";
  return range === "private" || range === "uniqueLocal" ? " (private)" : "";
}

function rangeOf(address: string): string {
  return ipaddr.isValid(address) ? ipaddr.process(address).range() : "";
}
