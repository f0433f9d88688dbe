import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { createAddressPolicy } from "./address_policy.ts";
import { createConnect } from "./connect.ts";
import type { AddressLookup } from "./dial.ts";
import type { HttpClient } from "./http_client.ts";
import type { TlsTrust } from "./tls_trust.ts";
import { createUndiciClient } from "./undici_client.ts";

/** What the client needs of the world. */
export interface OutgoingClientEffects {
  readonly clock: Clock;
  readonly lookup: AddressLookup;
  readonly trust: TlsTrust;
}

/** Makes the client for everything that the service asks of others. */
export function createOutgoingClient(config: Config, effects: OutgoingClientEffects): HttpClient {
  return createUndiciClient({
    clock: effects.clock,
    connect: createConnect({
      ...effects,
      policy: createAddressPolicy(config.allowNetworks),
      insecureSkipVerifyTls: config.insecureSkipVerifyTls,
      proxy: config.outgoingProxy,
    }),
  });
}
