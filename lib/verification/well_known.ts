/** `/.well-known/matrix/server`: where a server delegates its name to. */

import type { Clock } from "../clock.ts";
import { UpstreamError } from "../matrix/errors.ts";
import { isServerName } from "../matrix/server_name.ts";
import type { HttpClient, HttpResponse } from "../net/http_client.ts";
import { createTarget, endpointOfUrl } from "../net/target.ts";

/** Where a name is delegated to, and for how long that may be remembered. */
export interface Delegation {
  readonly serverName: string;
  /** Milliseconds; 0–48 h, by the answer's headers. */
  readonly maxAgeMs: number;
}

/** How a well-known file is fetched. */
export interface WellKnownOptions {
  readonly client: HttpClient;
  readonly clock: Clock;
  /** Whether the operator named the server, so that it may live on a private address. */
  readonly mayBePrivate: boolean;
}

const PATH = "/.well-known/matrix/server";
const TIMEOUT_MS = 5_000;
const MAX_BODY_BYTES = 64 * 1024;
const MAX_REDIRECTS = 5;
const HOUR_MS = 3_600_000;
const DEFAULT_MAX_AGE_MS = 24 * HOUR_MS;
const LONGEST_MAX_AGE_MS = 48 * HOUR_MS;

/**
 * Fetches the delegation of a host.
 *
 * Redirects are followed, to https only: whoever can change plain http on the
 * way could otherwise vouch for every user of the server.
 *
 * @param host A DNS name without port.
 * @throws {UpstreamError} Where there is none, or none that can be understood.
 */
export async function fetchDelegation(
  host: string,
  options: WellKnownOptions,
): Promise<Delegation> {
  const { clock } = options;
  const deadline = clock.monotonic() + TIMEOUT_MS;
  let url = new URL(`https://${host}${PATH}`);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await get(url, options, deadline - clock.monotonic());
    const location = response.status >= 300 && response.status < 400
      ? response.headers.location
      : undefined;
    if (typeof location !== "string") return readDelegation(url, response, clock.now());
    const next = URL.parse(location, url);
    if (next === null || next.protocol !== "https:" || next.username !== "") {
      throw new UpstreamError("answer", `${url} redirects to something other than an https URL`);
    }
    url = next;
  }
  throw new UpstreamError("answer", `${host}${PATH} redirects more than ${MAX_REDIRECTS} times`);
}

function get(url: URL, { client, mayBePrivate }: WellKnownOptions, timeoutMs: number) {
  if (timeoutMs <= 0) throw new UpstreamError("http", `no end of redirects from ${url.host}`);
  const endpoint = endpointOfUrl(url);
  const target = createTarget({
    protocol: "https",
    endpoints: [endpoint],
    tlsName: endpoint.host,
    hostHeader: url.host,
    mayBePrivate,
    maxConnections: 2,
  });
  const path = url.pathname + url.search;
  return client.request(target, { method: "GET", path, timeoutMs, maxBodyBytes: MAX_BODY_BYTES });
}

function readDelegation(url: URL, response: HttpResponse, now: number): Delegation {
  if (response.status !== 200) {
    throw new UpstreamError("answer", `${url}: HTTP ${response.status}`);
  }
  let delegated: unknown;
  try {
    delegated = JSON.parse(new TextDecoder().decode(response.body))?.["m.server"];
  } catch {
    throw new UpstreamError("answer", `${url}: not JSON`);
  }
  if (typeof delegated !== "string" || !isServerName(delegated)) {
    throw new UpstreamError("answer", `${url}: m.server is no server name`);
  }
  return { serverName: delegated, maxAgeMs: maxAgeMs(response.headers, now) };
}

/**
 * How long an answer may be remembered: by `Cache-Control` before `Expires`,
 * else for a day, never for more than two.
 *
 * @param headers Header names in lower case.
 * @param now Milliseconds since the Unix epoch.
 * @returns Milliseconds, 0 where the server forbids remembering.
 */
export function maxAgeMs(headers: HttpResponse["headers"], now: number): number {
  const cacheControl = [headers["cache-control"] ?? ""].flat().join(",").toLowerCase();
  if (/(?:^|[\s,])no-(?:store|cache)(?=$|[\s,=])/.test(cacheControl)) return 0;
  const maxAge = /(?:^|[\s,])max-age\s*=\s*"?([^\s,"]*)/.exec(cacheControl)?.[1];
  const expires = [headers.expires ?? []].flat()[0];
  let ms = DEFAULT_MAX_AGE_MS;
  // What cannot be read means already expired (RFC 9111 §4.2.1), a date of "0" above all (§5.3).
  if (maxAge !== undefined) ms = /^\d+$/.test(maxAge) ? Number(maxAge) * 1000 : 0;
  else if (expires !== undefined) ms = (Date.parse(expires) || now) - now;
  return Math.min(Math.max(ms, 0), LONGEST_MAX_AGE_MS);
}
