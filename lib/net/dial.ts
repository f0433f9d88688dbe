/** From a name to a connected socket: DNS, address policy, and a race of addresses. */

import dns from "node:dns";
import net from "node:net";
import type { Clock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { UpstreamError } from "../matrix/errors.ts";
import { outsideText } from "../outside_text.ts";
import type { AddressPolicy } from "./address_policy.ts";
import type { Endpoint } from "./http_client.ts";

/** Finds the addresses of a name, best first. */
export type AddressLookup = (host: string) => Promise<string[]>;

/** What dialling needs. */
export interface DialOptions {
  readonly lookup: AddressLookup;
  /** `undefined` lets every address through. */
  readonly policy: AddressPolicy | undefined;
  readonly clock: Clock;
}

/** How long one address may take to accept a connection. */
const ADDRESS_TIMEOUT_MS = 3_000;
/** How long an address is alone before the next one is tried beside it (RFC 8305 §5). */
const NEXT_ADDRESS_AFTER_MS = 250;
const LOOKUP_TIMEOUT_MS = 5_000;
/** A name with more addresses than this is asked for the first ones only. */
const MAX_ADDRESSES = 8;

/**
 * Looks names up as every program of the host does, hosts file included.
 *
 * @throws {Error} Node's, with `code` `ENOTFOUND` and others.
 */
export async function lookupAddresses(host: string): Promise<string[]> {
  const found = await dns.promises.lookup(host, { all: true, verbatim: true });
  return found.map(({ address }) => address);
}

/**
 * Connects to the first address of an endpoint that answers.
 *
 * @returns A connected socket without delay (`TCP_NODELAY`).
 * @throws {UpstreamError} `dns`, `policy` or `tcp`, naming every address tried.
 */
export async function dial(endpoint: Endpoint, options: DialOptions): Promise<net.Socket> {
  const addresses = await findAddresses(endpoint.host, options);
  const failures: string[] = [];
  return await new Promise((resolve, reject) => {
    /** Sockets on their way, and what calls their time limits off. */
    const open = new Map<net.Socket, () => void>();
    let next = 0;
    let settled = false;
    let cancelNext = () => {};

    function settle(winner?: net.Socket) {
      settled = true;
      cancelNext();
      for (const [socket, cancelTimeout] of open) {
        cancelTimeout();
        if (socket !== winner) socket.destroy();
      }
    }

    function tryNext() {
      cancelNext();
      const address = addresses[next++];
      if (address === undefined) {
        if (open.size > 0 || settled) return;
        settle();
        reject(new UpstreamError("tcp", `cannot connect to ${failures.join(", ")}`));
        return;
      }
      const socket = net.connect({ host: address, port: endpoint.port });
      // Deno before 2.8 would read ahead, and what it reads would be missing in the TLS handshake.
      socket.pause();
      const fail = (reason: string) => {
        open.get(socket)?.();
        if (!open.delete(socket)) return;
        socket.destroy();
        failures.push(`${formatAddress(address, endpoint.port)} (${reason})`);
        if (!settled) tryNext();
      };
      const late = () => fail(`no answer in ${ADDRESS_TIMEOUT_MS / 1000} s`);
      open.set(socket, options.clock.after(ADDRESS_TIMEOUT_MS, late));
      const onError = (error: Error) => fail(errorCode(error));
      socket.on("error", onError);
      socket.once("connect", () => {
        if (settled) return;
        // As an option of connect() it does nothing in Deno before 2.8: 40 ms more a connection.
        socket.setNoDelay(true);
        settle(socket);
        socket.off("error", onError);
        resolve(socket);
      });
      cancelNext = options.clock.after(NEXT_ADDRESS_AFTER_MS, tryNext);
    }

    tryNext();
  });
}

async function findAddresses(host: string, options: DialOptions): Promise<string[]> {
  const found = net.isIP(host) !== 0 ? [host] : await lookUp(host, options);
  const allowed = options.policy === undefined ? found : found.filter(options.policy);
  if (allowed.length > 0) return alternateFamilies(allowed).slice(0, MAX_ADDRESSES);
  throw new UpstreamError(
    "policy",
    `${host} has no public address (${found.slice(0, MAX_ADDRESSES).join(", ")}); if it may be ` +
      "reached, list its network in MATRIXRTC_ALLOW_NETWORKS",
  );
}

async function lookUp(host: string, { lookup, clock }: DialOptions): Promise<string[]> {
  const late = () => new Error(`no answer in ${LOOKUP_TIMEOUT_MS / 1000} s`);
  let found: string[];
  try {
    found = await withDeadline(lookup(host), LOOKUP_TIMEOUT_MS, clock, late);
  } catch (error) {
    throw new UpstreamError("dns", `cannot look up ${host} (${errorCode(error)})`);
  }
  if (found.length > 0) return found;
  throw new UpstreamError("dns", `cannot look up ${host} (no addresses)`);
}

// One family may be published and closed: its addresses must not all come first (RFC 8305 §4).
function alternateFamilies(addresses: readonly string[]): string[] {
  const first = addresses.filter((address) => net.isIP(address) === net.isIP(addresses[0]!));
  const second = addresses.filter((address) => net.isIP(address) !== net.isIP(addresses[0]!));
  return first.flatMap((address, i) => second[i] === undefined ? [address] : [address, second[i]])
    .concat(second.slice(first.length));
}

function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return outsideText(String(error));
  const { code } = error as { code?: unknown };
  return outsideText(typeof code === "string" ? code : error.message);
}

/** Writes an address and a port as URLs do, IPv6 in brackets. */
export function formatAddress(host: string, port: number): string {
  return net.isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}
