/** Where a homeserver's client API answers. */

import type { Clock } from "../clock.ts";
import { ExpiringCache, type Lease } from "../expiring_cache.ts";
import { UpstreamError } from "../matrix/errors.ts";
import { isServerName } from "../matrix/server_name.ts";
import { fetchFollowingRedirects } from "../net/follow_redirects.ts";
import type { HttpClient } from "../net/http_client.ts";
import { type BaseTarget, targetOfUrl } from "../net/target.ts";

/** Finds client APIs, and remembers them. */
export interface ClientApi {
  /**
   * Finds where a server's client API answers. What was found once is used until
   * something newer is found: while the well-known file cannot be had, calls go on.
   *
   * @throws {UpstreamError} When it was never found, and cannot be found now.
   */
  resolve(serverName: string): Promise<BaseTarget>;
  /** What is known already, however old. */
  peek(serverName: string): BaseTarget | undefined;
  /** What was found does not work; it is looked up again, once a minute at most. */
  suspect(serverName: string): void;
}

/** What finding client APIs needs. */
export interface ClientApiOptions {
  readonly client: HttpClient;
  readonly clock: Clock;
  /** Server names whose base URL the operator gave; nothing is looked up for them. */
  readonly overrides: ReadonlyMap<string, string>;
  /** Whether the operator named a server: it may live on a private address, and without TLS. */
  readonly isOwn: (serverName: string) => boolean;
}

interface Found extends BaseTarget {
  /** When it was looked for last, whether or not it was found again. */
  readonly lookedAt: number;
}

const PATH = "/.well-known/matrix/client";
const MAX_ENTRIES = 10_000;
const MAX_CONNECTIONS = 64;
const MAX_AGE_MS = 4 * 3_600_000;
/** How soon it is looked for again where that failed. */
const STALE_MAX_AGE_MS = 60_000;

/** Makes the finder. */
export function createClientApi(options: ClientApiOptions): ClientApi {
  const { clock, isOwn } = options;
  const cache = new ExpiringCache<Found>({ maxEntries: MAX_ENTRIES, now: clock.monotonic });
  const overrides = new Map(
    [...options.overrides].map(([name, url]) => [name, targetOfUrl(url, MAX_CONNECTIONS)]),
  );

  async function lookUp(serverName: string, previous?: Found): Promise<Lease<Found>> {
    try {
      const baseUrl = await fetchBaseUrl(serverName, options);
      const found = targetOf(baseUrl, serverName, isOwn(serverName));
      return { value: { ...found, lookedAt: clock.monotonic() }, maxAgeMs: MAX_AGE_MS };
    } catch (error) {
      if (previous === undefined || !(error instanceof UpstreamError)) throw error;
      const value = { ...previous, lookedAt: clock.monotonic() };
      return { value, maxAgeMs: STALE_MAX_AGE_MS };
    }
  }

  return {
    async resolve(serverName) {
      const known = overrides.get(serverName) ?? cache.peek(serverName);
      if (known !== undefined) return known;
      const stale = cache.peekStale(serverName);
      const looking = cache.get(serverName, (previous) => lookUp(serverName, previous));
      // Nobody waits for a look-up whose result can be used the next time.
      return stale ?? await looking;
    },
    peek: (serverName) => overrides.get(serverName) ?? cache.peekStale(serverName),
    suspect(serverName) {
      const found = cache.peek(serverName);
      if (found === undefined || clock.monotonic() - found.lookedAt < STALE_MAX_AGE_MS) return;
      cache.expire(serverName);
    },
  };
}

async function fetchBaseUrl(serverName: string, options: ClientApiOptions): Promise<string> {
  if (!isServerName(serverName)) {
    throw new UpstreamError("policy", "the homeserver's name is no server name");
  }
  const { shownUrl, response } = await fetchFollowingRedirects(`https://${serverName}${PATH}`, {
    client: options.client,
    clock: options.clock,
    mayBePrivate: options.isOwn(serverName),
  });
  const fail = (what: string) =>
    new UpstreamError(
      "answer",
      `${shownUrl}: ${what}; without it, give the client API in LIVEKIT_CS_API_URL_OVERRIDES`,
    );
  if (response.status !== 200) throw fail(`HTTP ${response.status}`);
  let baseUrl: unknown;
  try {
    baseUrl = JSON.parse(new TextDecoder().decode(response.body))?.["m.homeserver"]?.base_url;
  } catch {
    throw fail("not JSON");
  }
  if (typeof baseUrl !== "string") throw fail("no base_url of m.homeserver");
  return baseUrl;
}

function targetOf(baseUrl: string, serverName: string, isOwn: boolean): BaseTarget {
  const url = URL.parse(baseUrl);
  const isPlain = url !== null && /^https?:$/.test(url.protocol) && url.username === "" &&
    url.password === "" && url.search === "" && url.hash === "";
  if (!isPlain) {
    throw new UpstreamError("answer", `${serverName}${PATH}: base_url is no http or https URL`);
  }
  // Whoever learns a delay id can let its user leave, so it is not for everybody on the way.
  if (url.protocol === "http:" && !isOwn) {
    throw new UpstreamError("policy", `${serverName}${PATH}: base_url is not an https URL`);
  }
  return targetOfUrl(baseUrl, MAX_CONNECTIONS, isOwn);
}
