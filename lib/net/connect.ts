import type { Clock } from "../clock.ts";
import { UpstreamError } from "../matrix/errors.ts";
import type { AddressPolicy } from "./address_policy.ts";
import { type AddressLookup, dial } from "./dial.ts";
import type { HttpTarget } from "./http_client.ts";
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
    const policy = target.mayBePrivate ? undefined : options.policy;
    const failures: UpstreamError[] = [];
    const startedAt = options.clock.monotonic();
    for (const endpoint of target.endpoints) {
      if (options.clock.monotonic() - startedAt > LONGEST_MS) break;
      try {
        const socket = await dial(endpoint, { ...options, policy });
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
