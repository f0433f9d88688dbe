/** What the tests of outgoing calls share. */

import tls from "node:tls";
import { assertInstanceOf } from "@std/assert";
import type { Clock } from "../../lib/clock.ts";
import { type Hop, UpstreamError } from "../../lib/matrix/errors.ts";
import { type AddressPolicy, createAddressPolicy } from "../../lib/net/address_policy.ts";
import { createConnect } from "../../lib/net/connect.ts";
import type { AddressLookup } from "../../lib/net/dial.ts";
import type { HttpClient, HttpRequest, HttpTarget } from "../../lib/net/http_client.ts";
import { createTarget } from "../../lib/net/target.ts";
import { createUndiciClient } from "../../lib/net/undici_client.ts";

/** Real time, for tests in which nothing waits; a deadline called off leaves no timer behind. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, action) {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  },
};

/**
 * Deno before 2.8 goes on with connecting and with handshakes for sockets that
 * have been destroyed: what is left over then is not for us to clean up.
 */
export const endsWhatIsDestroyed: boolean = "getCACertificates" in tls;

/** Looks nothing up: for targets that are addresses. */
export const noLookup: AddressLookup = (host) =>
  Promise.reject(new Error(`${host} was looked up against expectation`));

/** The policy of a service without `MATRIXRTC_ALLOW_NETWORKS`. */
export const publicOnly: AddressPolicy = createAddressPolicy([]);

/** How a client differs from the usual one. */
export interface TestClientOptions {
  lookup?: AddressLookup;
  policy?: AddressPolicy;
  ca?: string[];
  insecureSkipVerifyTls?: boolean;
  clock?: Clock;
}

/** The real client over real sockets. `await using client = …` closes it with the block. */
export function startClient(options: TestClientOptions = {}): HttpClient & AsyncDisposable {
  const { lookup = noLookup, policy = publicOnly, ca = [], clock = realClock } = options;
  const { insecureSkipVerifyTls = false } = options;
  const connect = createConnect({
    lookup,
    policy,
    trust: { ca },
    insecureSkipVerifyTls,
    proxy: { except: [] },
    clock,
  });
  const client = createUndiciClient({ connect, clock });
  return { ...client, [Symbol.asyncDispose]: () => client.close() };
}

/** A target on the loopback interface that may be there. */
export function localTarget(
  port: number,
  parts: Partial<Omit<HttpTarget, "key">> = {},
): HttpTarget {
  return createTarget({
    protocol: "http",
    endpoints: [{ host: "127.0.0.1", port }],
    tlsName: "example.org",
    hostHeader: "example.org",
    mayBePrivate: true,
    maxConnections: 8,
    ...parts,
  });
}

/** A request that is small in every way. */
export function get(path = "/", parts: Partial<HttpRequest> = {}): HttpRequest {
  return { method: "GET", path, timeoutMs: 10_000, maxBodyBytes: 65_536, ...parts };
}

/** Waits for a call to fail as calls to others do. */
export async function failureOf(call: Promise<unknown>): Promise<UpstreamError> {
  const error = await call.then(() => undefined, (error) => error);
  assertInstanceOf(error, UpstreamError);
  return error;
}

/** Hop and message of a call that fails. */
export async function hopOf(call: Promise<unknown>): Promise<[Hop, string]> {
  const { hop, message } = await failureOf(call);
  return [hop, message];
}

/** An address that swallows connection attempts, as firewalls do. */
export interface DeadAddress extends Disposable {
  readonly address: string;
}

/** Whether {@linkcode openDeadAddress} works here: elsewhere 127.0.0.2 is nobody. */
export const hasDeadAddresses: boolean = Deno.build.os === "linux";

/** Makes 127.0.0.2 dead at a port, by filling the queue of a listener that accepts nothing. */
export async function openDeadAddress(port: number): Promise<DeadAddress> {
  const address = "127.0.0.2";
  const listener = Deno.listen({ hostname: address, port, tcpBacklog: 1 });
  const queued = await Promise.all([1, 2].map(() => Deno.connect({ hostname: address, port })));
  return {
    address,
    [Symbol.dispose]() {
      queued.forEach((connection) => connection.close());
      listener.close();
    },
  };
}
