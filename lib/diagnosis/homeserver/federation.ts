/** Where a server's federation API is, and what it says to a token that nobody has. */

import { UpstreamError } from "../../matrix/errors.ts";
import { ownServerNames } from "../context.ts";
import type { DoctorContext } from "../context.ts";
import { createProbe, type Exchange, type Probe } from "../probe.ts";
import { createServerResolver, type ResolvedServer } from "../../verification/resolve_server.ts";

/** What was found. */
export type FederationFacts =
  | {
    readonly resolved: ResolvedServer;
    /** Userinfo, asked with a token that nobody has. */
    readonly userinfo: Exchange;
    /** The name that the server there gives itself; absent where it does not say. */
    readonly calledName?: string;
  }
  | { readonly resolved?: undefined; readonly error: UpstreamError };

const USERINFO_PATH = "/_matrix/federation/v1/openid/userinfo?access_token=";
const KEY_PATH = "/_matrix/key/v2/server";
/** No homeserver makes tokens like this one. */
const NO_TOKEN = "doctor";
const MAX_CONNECTIONS = 2;

/** Resolves a name as the service does, and asks; once for each name. */
export function lookAtFederation(
  context: DoctorContext,
  serverName: string,
): Promise<FederationFacts> {
  return context.once(`federation ${serverName}`, async () => {
    let resolved: ResolvedServer;
    try {
      resolved = await resolve(context, serverName);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      return { error };
    }
    const probe = probeAt(context, resolved);
    const userinfo = await probe(USERINFO_PATH + NO_TOKEN);
    const key = userinfo.answered ? await probe(KEY_PATH) : userinfo;
    const calledName = key.answered && key.status === 200
      ? (key.json as { server_name?: unknown } | null)?.server_name
      : undefined;
    return { resolved, userinfo, ...typeof calledName === "string" && { calledName } };
  });
}

/** Asks whom an OpenID token belongs to. */
export async function askUserinfo(
  context: DoctorContext,
  resolved: ResolvedServer,
  openIdToken: string,
): Promise<Exchange> {
  return await probeAt(context, resolved)(USERINFO_PATH + encodeURIComponent(openIdToken));
}

function resolve(context: DoctorContext, serverName: string): Promise<ResolvedServer> {
  const { config, client, clock, lookupSrv, random } = context;
  const own = ownServerNames(config);
  const resolver = createServerResolver({
    client,
    clock,
    lookupSrv,
    random,
    overrides: config.federationUrlOverrides,
    maxConnections: () => MAX_CONNECTIONS,
    // As the service sees it: what the person who asks has named need not be the operator's.
    isOwn: (name) =>
      own.length === 0 ? context.isOwn(name) : own.includes(name) ||
        config.federationUrlOverrides.has(name),
  });
  return resolver.resolve(serverName);
}

/** Asks a path of the very place that was resolved: address, TLS name and Host as they came out. */
function probeAt({ client, clock }: DoctorContext, { target, basePath }: ResolvedServer): Probe {
  const there = createProbe({
    request: (_target, request) => client.request(target, request),
    close: () => Promise.resolve(),
  }, clock);
  return (path, request) => there(`https://homeserver.invalid${basePath}${path}`, request);
}
