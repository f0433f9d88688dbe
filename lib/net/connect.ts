import { isIP } from "node:net";
import type { Clock } from "../clock.ts";
import { UpstreamError } from "../matrix/errors.ts";
import type { AddressPolicy } from "./address_policy.ts";
import { type AddressLookup, dial } from "./dial.ts";
import type { Endpoint, HttpTarget } from "./http_client.ts";
import { endpointOfUrl } from "./target.ts";
import { chooseProxy, connectThroughProxy, type ProxySettings } from "./proxy.ts";
import { secure } from "./secure.ts";
import type { TlsTrust } from "./tls_trust.ts";
import type { Connect } from "./target_pool.ts";

/** What connecting needs. */
export interface ConnectOptions {
  readonly lookup: AddressLookup;
  /** For targets that the operator did not name. */
  readonly policy: AddressPolicy;
  readonly trust: TlsTrust;
  readonly insecureSkipVerifyTls: boolean;
  readonly proxy: ProxySettings;
  readonly clock: Clock;
}

/**
 * No further endpoint is tried after this: a server with a dozen dead ones must
 * not hold a connection's place long after everybody has given up on it.
 */
const LONGEST_MS = 10_000;

/**
 * Makes the function that opens connections: the endpoints of a target one
 * after the other, as SRV records ask for it, then TLS.
 *
 * @returns A function that throws {@linkcode UpstreamError} `dns`, `policy`,
 * `tcp` or `tls`: what the last endpoint failed with.
 */
export function createConnect(options: ConnectOptions): Connect {
  return async (target: HttpTarget) => {
    const failures: UpstreamError[] = [];
    const startedAt = options.clock.monotonic();
    for (const endpoint of target.endpoints) {
      if (options.clock.monotonic() - startedAt > LONGEST_MS) break;
      try {
        const socket = await reach(endpoint, target, options);
        return target.protocol === "http" ? socket : await secure(socket, target.tlsName, options);
      } catch (error) {
        if (!(error instanceof UpstreamError)) throw error;
        failures.push(error);
      }
    }
    const last = failures.at(-1) ?? new UpstreamError("dns", `${target.key} has no endpoint`);
    if (failures.length < 2) throw last;
    throw new UpstreamError(last.hop, failures.map(({ message }) => message).join("; "));
  };
}

/** A connection to an endpoint without TLS of its own, through a proxy where one is set. */
async function reach(endpoint: Endpoint, target: HttpTarget, options: ConnectOptions) {
  const policy = target.mayBePrivate ? undefined : options.policy;
  const proxy = chooseProxy(target.protocol, endpoint, options.proxy);
  if (proxy === undefined) return await dial(endpoint, { ...options, policy });
  // Names are the proxy's to look up, and what it may reach is its operator's to say; an address
  // that nobody needs to look up is still judged here.
  if (policy !== undefined && isIP(endpoint.host) !== 0 && !policy(endpoint.host)) {
    throw new UpstreamError("policy", `${endpoint.host} is not a public address`);
  }
  const place = endpointOfUrl(proxy);
  const plain = await dial(place, { ...options, policy: undefined });
  const socket = proxy.protocol === "https:" ? await secure(plain, place.host, options) : plain;
  return await connectThroughProxy(socket, proxy, endpoint, options.clock);
}
