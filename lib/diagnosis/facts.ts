/** What several checks need to know; each thing is asked for once. */

import type { Config } from "../config/config.ts";
import type { Secret } from "../secret.ts";
import { fetchTransports, type Transports } from "./discovery/transports.ts";
import { fetchWellKnownClient, type WellKnownClient } from "./discovery/well_known_client.ts";
import type { Once } from "./once.ts";
import { type Exchange, type Probe } from "./probe.ts";

/** Where a server's client API answers, or why nobody knows. */
export type ClientApiPlace =
  | {
    /** Without a slash at its end. */
    readonly baseUrl: string;
    readonly from: "override" | "well-known";
  }
  | { readonly baseUrl?: undefined; readonly why: string };

/** Where clients reach this service. */
export interface OwnService {
  /** Without a slash at its end. */
  readonly url: string;
  /** Who says so: `--public-url`, or the server whose well-known file does. */
  readonly from: string;
}

/** Whose access token was given; without `userId` it is nobody's, and `why` tells. */
export type TokenOwner =
  | { readonly userId: string; readonly serverName: string; readonly baseUrl: string }
  | { readonly userId?: undefined; readonly why: string };

/** The questions, each asked at most once, however many checks want the answer. */
export interface Facts {
  /** `/.well-known/matrix/client` of a server. */
  wellKnownClient(serverName: string): Promise<WellKnownClient>;
  /** Where its client API is: the operator's override, else what its well-known file says. */
  clientApi(serverName: string): Promise<ClientApiPlace>;
  /** What its client API tells of transports, without a token. */
  transports(serverName: string): Promise<Transports | undefined>;
  /** The same with the user's token; for the server that the token belongs to only. */
  userTransports(): Promise<Transports | undefined>;
  /** Where clients reach this service; `undefined` where nobody says. */
  ownService(): Promise<OwnService | undefined>;
  /** Whose `--user-token-file` it is; `undefined` where there is none. */
  tokenOwner(): Promise<TokenOwner | undefined>;
}

/** What the facts are made of. */
export interface FactSources {
  readonly config: Config;
  readonly probe: Probe;
  readonly once: Once;
  readonly serverNames: readonly string[];
  /** Those of them that may say where this service is: the operator's own. */
  readonly ownNames: readonly string[];
  readonly publicUrl?: string;
  readonly userToken?: Secret;
}

/** Makes the facts; nothing is asked before somebody wants to know. */
export function createFacts(sources: FactSources): Facts {
  const { config, probe, once, serverNames, ownNames, publicUrl, userToken } = sources;

  const facts: Facts = {
    wellKnownClient: (serverName) =>
      once(`well-known client ${serverName}`, () => fetchWellKnownClient(serverName, probe)),
    clientApi: (serverName) =>
      once(`client API ${serverName}`, async () => {
        const override = config.csApiUrlOverrides.get(serverName);
        if (override !== undefined) return { baseUrl: override, from: "override" };
        const { baseUrl, why } = await facts.wellKnownClient(serverName);
        if (baseUrl !== undefined) return { baseUrl, from: "well-known" };
        return { why: why ?? "its well-known file does not say" };
      }),
    transports: (serverName) =>
      once(`transports ${serverName}`, async () => {
        const { baseUrl } = await facts.clientApi(serverName);
        return baseUrl === undefined ? undefined : await fetchTransports(baseUrl, probe);
      }),
    userTransports: () =>
      once("transports of the user", async () => {
        const owner = await facts.tokenOwner();
        if (owner?.userId === undefined) return undefined;
        return await fetchTransports(owner.baseUrl, probe, userToken);
      }),
    ownService: () => once("own service", findOwnService),
    tokenOwner: () => once("token owner", findTokenOwner),
  };

  async function findOwnService(): Promise<OwnService | undefined> {
    if (publicUrl !== undefined) return { url: publicUrl, from: "--public-url" };
    for (const serverName of ownNames) {
      const { serviceUrls } = await facts.wellKnownClient(serverName);
      const [url] = serviceUrls ?? [];
      if (url !== undefined) return { url: withoutSlash(url), from: serverName };
    }
    const transports = await facts.userTransports();
    const [url] = transports?.serviceUrls ?? [];
    return url === undefined ? undefined : { url: withoutSlash(url), from: "the homeserver" };
  }

  /** A token goes to one server only: the first one, which must be its own. */
  async function findTokenOwner(): Promise<TokenOwner | undefined> {
    const [serverName] = serverNames;
    if (userToken === undefined) return undefined;
    if (serverName === undefined) return { why: "no server name: add --server NAME" };
    const { baseUrl, ...place } = await facts.clientApi(serverName);
    if (baseUrl === undefined) {
      return {
        why: `the client API of ${serverName} is not known: ${"why" in place && place.why}`,
      };
    }
    const exchange = await probe(`${baseUrl}/_matrix/client/v3/account/whoami`, {
      headers: { authorization: `Bearer ${userToken.reveal()}` },
    });
    const userId = readUserId(exchange);
    if (userId !== undefined) return { userId, serverName, baseUrl };
    const said = exchange.answered ? `${baseUrl} answers ${exchange.status}` : exchange.message;
    return { why: `${said} when asked whose token it is` };
  }

  return facts;
}

function readUserId(exchange: Exchange): string | undefined {
  if (!exchange.answered || exchange.status !== 200) return undefined;
  const userId = (exchange.json as { user_id?: unknown } | null)?.user_id;
  return typeof userId === "string" ? userId : undefined;
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}
