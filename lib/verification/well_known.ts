/** `/.well-known/matrix/server`: where a server delegates its name to. */

import { UpstreamError } from "../matrix/errors.ts";
import { isServerName } from "../matrix/server_name.ts";
import {
  type FetchedFile,
  fetchFollowingRedirects,
  type FetchOptions,
} from "../net/follow_redirects.ts";
import type { HttpResponse } from "../net/http_client.ts";

/** Where a name is delegated to, and for how long that may be remembered. */
export interface Delegation {
  readonly serverName: string;
  /** Milliseconds; 0–48 h, by the answer's headers. */
  readonly maxAgeMs: number;
}

const PATH = "/.well-known/matrix/server";
const HOUR_MS = 3_600_000;
const DEFAULT_MAX_AGE_MS = 24 * HOUR_MS;
const LONGEST_MAX_AGE_MS = 48 * HOUR_MS;

/**
 * Fetches the delegation of a host.
 *
 * @param host A DNS name without port.
 * @throws {UpstreamError} Where there is none, or none that can be understood.
 */
export async function fetchDelegation(host: string, options: FetchOptions): Promise<Delegation> {
  const file = await fetchFollowingRedirects(`https://${host}${PATH}`, options);
  return readDelegation(file, options.clock.now());
}

function readDelegation({ shownUrl, response }: FetchedFile, now: number): Delegation {
  if (response.status !== 200) {
    throw new UpstreamError("answer", `${shownUrl}: HTTP ${response.status}`);
  }
  let delegated: unknown;
  try {
    delegated = JSON.parse(new TextDecoder().decode(response.body))?.["m.server"];
  } catch {
    throw new UpstreamError("answer", `${shownUrl}: not JSON`);
  }
  if (typeof delegated !== "string" || !isServerName(delegated)) {
    throw new UpstreamError("answer", `${shownUrl}: m.server is no server name`);
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
