/**
 * From a server name to the place where its federation API answers.
 *
 * @see {@link https://spec.matrix.org/v1.18/server-server-api/#resolving-server-names}
 */

import type { Clock } from "../clock.ts";
import { UpstreamError } from "../matrix/errors.ts";
import { parseServerName, type ServerName } from "../matrix/server_name.ts";
import type { Endpoint, HttpClient } from "../net/http_client.ts";
import { type BaseTarget, createTarget, targetOfUrl } from "../net/target.ts";
import { outsideText } from "../outside_text.ts";
import { ExpiringCache, type Lease } from "../expiring_cache.ts";
import { orderSrvRecords, type SrvLookup } from "./srv.ts";
import { fetchDelegation } from "./well_known.ts";

/** Finds where a server answers, and remembers it. */
export interface ServerResolver {
  /** What is known of a server already. */
  peek(serverName: string): ResolvedServer | undefined;
  /** @throws {UpstreamError} Naming the step that failed. */
  resolve(serverName: string): Promise<ResolvedServer>;
  /** What was found does not work: the next {@linkcode resolve} looks again. */
  forget(serverName: string): void;
}

/** Where a server answers, and by which of the spec's steps that was found. */
export interface ResolvedServer extends BaseTarget {
  /** For people: `example.org, delegated to matrix.example.org:443`. */
  readonly how: string;
}

/** What resolving needs. */
export interface ServerResolverOptions {
  readonly client: HttpClient;
  readonly lookupSrv: SrvLookup;
  /** Server names whose base URL the operator gave; nothing is resolved for them. */
  readonly overrides: ReadonlyMap<string, string>;
  /** Whether the operator named a server: it may then live on a private address. */
  readonly isOwn: (serverName: string) => boolean;
  /** How many connections a server may have. */
  readonly maxConnections: (serverName: string) => number;
  readonly clock: Clock;
  /** A number in [0, 1), for the order of SRV records of one priority. */
  readonly random: () => number;
}

/** DNS did answer, and the answer is no: an older answer has no say any more. */
class NotOfferedError extends UpstreamError {}

/** What is known of a host's delegation: a server name, or why there is none. */
type Delegation = { readonly serverName: string; readonly expiresAt: number } | {
  readonly failure: UpstreamError;
  readonly failures: number;
};

const FEDERATION_PORT = 8448;
const MAX_ENTRIES = 10_000;
/** DNS does not tell us how long SRV records live, so they are asked for again after this. */
const SRV_MAX_AGE_MS = 5 * 60_000;
const FIRST_FAILURE_MAX_AGE_MS = 60_000;
const LONGEST_FAILURE_MAX_AGE_MS = 3_600_000;
/** The operator's own server is looked at again soon: somebody may be repairing it right now. */
const OWN_FAILURE_MAX_AGE_MS = 5_000;

/** Makes the resolver. */
export function createServerResolver(options: ServerResolverOptions): ServerResolver {
  const { clock } = options;
  const cacheOptions = { maxEntries: MAX_ENTRIES, now: clock.monotonic };
  const delegations = new ExpiringCache<Delegation>(cacheOptions);
  const resolutions = new ExpiringCache<ResolvedServer>(cacheOptions);

  function delegationOf(host: string, mayBePrivate: boolean): Promise<Delegation> {
    return delegations.get(host, async (previous) => {
      try {
        const fetchOptions = { client: options.client, clock, mayBePrivate };
        const { serverName, maxAgeMs } = await fetchDelegation(host, fetchOptions);
        return { value: { serverName, expiresAt: clock.monotonic() + maxAgeMs }, maxAgeMs };
      } catch (failure) {
        if (!(failure instanceof UpstreamError)) throw failure;
        const failures = previous !== undefined && "failures" in previous ? previous.failures : 0;
        const maxAgeMs = mayBePrivate ? OWN_FAILURE_MAX_AGE_MS : Math.min(
          FIRST_FAILURE_MAX_AGE_MS * 2 ** failures,
          LONGEST_FAILURE_MAX_AGE_MS,
        );
        return { value: { failure, failures: failures + 1 }, maxAgeMs };
      }
    });
  }

  /**
   * Where SRV records send the users of a host, or port 8448 of the host itself.
   *
   * @param canGuess Whether that port will do, too, when DNS fails.
   */
  async function endpointsOf(host: string, canGuess: boolean): Promise<Endpoint[]> {
    for (const service of ["_matrix-fed", "_matrix"]) {
      const name = `${service}._tcp.${host}`;
      let records;
      try {
        records = await options.lookupSrv(name);
      } catch (cause) {
        // A certificate for the name is asked for either way. For a server of the operator's,
        // with perhaps a small name server at home that knows no SRV, that is enough.
        if (canGuess) continue;
        throw new UpstreamError(
          "dns",
          `cannot look up SRV ${name} (${outsideText(String(cause))})`,
          { cause },
        );
      }
      if (records.length === 0) continue;
      const endpoints = orderSrvRecords(records, options.random);
      if (endpoints.length > 0) return endpoints;
      throw new NotOfferedError("dns", `SRV ${name} says that the service is not offered`);
    }
    return [{ host, port: FEDERATION_PORT }];
  }

  function serverAt(
    serverName: string,
    speaksAs: string,
    { host }: ServerName,
    endpoints: readonly Endpoint[],
    how: string,
    expiresAt = Infinity,
  ): Lease<ResolvedServer> {
    const target = createTarget({
      protocol: "https",
      endpoints,
      tlsName: host,
      hostHeader: speaksAs,
      mayBePrivate: options.isOwn(serverName),
      maxConnections: options.maxConnections(serverName),
    });
    const maxAgeMs = Math.min(SRV_MAX_AGE_MS, expiresAt - clock.monotonic());
    return { value: { target, basePath: "", how }, maxAgeMs };
  }

  /** The steps of the spec, numbered as there. */
  async function lookUp(serverName: string, isFirst: boolean): Promise<Lease<ResolvedServer>> {
    const isOwn = options.isOwn(serverName);
    const canGuess = isOwn && isFirst;
    const name = parse(serverName);
    if (name.isIpLiteral || name.port !== undefined) { // steps 1 and 2
      const { host, port = FEDERATION_PORT } = name;
      return serverAt(serverName, serverName, name, [{ host, port }], serverName);
    }
    const delegation = await delegationOf(name.host, isOwn);
    if ("failure" in delegation) { // steps 4 to 6
      const how = `${serverName}, not delegated (${delegation.failure.message})`;
      return serverAt(serverName, serverName, name, await endpointsOf(name.host, canGuess), how);
    }
    const delegated = parse(delegation.serverName);
    const { host, port = FEDERATION_PORT } = delegated;
    const endpoints = delegated.isIpLiteral || delegated.port !== undefined // steps 3.1 and 3.2
      ? [{ host, port }]
      : await endpointsOf(host, canGuess); // steps 3.3 to 3.5
    const how = `${serverName}, delegated to ${delegation.serverName}`;
    const { serverName: speaksAs, expiresAt } = delegation;
    return serverAt(serverName, speaksAs, delegated, endpoints, how, expiresAt);
  }

  return {
    peek: (serverName) => resolutions.peek(serverName),
    async resolve(serverName) {
      const override = options.overrides.get(serverName);
      return await resolutions.get(serverName, async (previous) => {
        if (override !== undefined) {
          const base = targetOfUrl(override, options.maxConnections(serverName));
          return { value: { ...base, how: `${serverName} at ${override}` }, maxAgeMs: Infinity };
        }
        try {
          return await lookUp(serverName, previous === undefined);
        } catch (error) {
          // An old answer is better than none while a name server is down.
          if (previous === undefined || error instanceof NotOfferedError) throw error;
          return { value: previous, maxAgeMs: SRV_MAX_AGE_MS / 10 };
        }
      });
    },
    forget(serverName) {
      resolutions.expire(serverName);
    },
  };
}

function parse(serverName: string): ServerName {
  const parsed = parseServerName(serverName);
  if (parsed !== undefined) return parsed;
  throw new UpstreamError("policy", "matrix_server_name is no server name");
}
