import type { Clock } from "../clock.ts";
import { UpstreamError } from "../matrix/errors.ts";
import { outsideText } from "../outside_text.ts";
import type { HttpClient, HttpResponse } from "./http_client.ts";
import { createTarget, endpointOfUrl } from "./target.ts";

/** How a file is fetched. */
export interface FetchOptions {
  readonly client: HttpClient;
  readonly clock: Clock;
  /** Whether the operator named the server, so that it may live on a private address. */
  readonly mayBePrivate: boolean;
}

/** An answer, and where it came from in the end. */
export interface FetchedFile {
  /** Its URL as messages name it. */
  readonly shownUrl: string;
  readonly response: HttpResponse;
}

const TIMEOUT_MS = 5_000;
const MAX_BODY_BYTES = 64 * 1024;
const MAX_REDIRECTS = 5;

/**
 * Gets a small file that any server may have put anywhere: a well-known one.
 * Five redirects and 5 s are the bounds of the whole, 64 KiB those of a body.
 *
 * Redirects are followed to https only: whoever can change plain http on the
 * way could otherwise speak for the server.
 *
 * @param address An `https:` URL, made of a name that anybody may have chosen.
 * @returns The first answer that is no redirect, whatever its status.
 * @throws {UpstreamError} Where there is none within the bounds.
 */
export async function fetchFollowingRedirects(
  address: string,
  options: FetchOptions,
): Promise<FetchedFile> {
  const { clock } = options;
  const deadline = clock.monotonic() + TIMEOUT_MS;
  const first = URL.parse(address);
  // A server name can be right by Matrix's grammar and still be none to IDNA: `xn--a`.
  if (first === null) throw new UpstreamError("dns", `${address} is no URL`);
  let url = first;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await get(url, options, deadline - clock.monotonic());
    const location = response.status >= 300 && response.status < 400
      ? response.headers.location
      : undefined;
    if (typeof location !== "string") return { shownUrl: shownUrl(url), response };
    const next = URL.parse(location, url);
    if (next === null || next.protocol !== "https:" || next.username !== "") {
      throw new UpstreamError(
        "answer",
        `${shownUrl(url)} redirects to something other than an https URL`,
      );
    }
    url = next;
  }
  const name = first.host + first.pathname;
  throw new UpstreamError("answer", `${name} redirects more than ${MAX_REDIRECTS} times`);
}

/** Without its query: a server may redirect to anywhere, with anything in it. */
function shownUrl({ origin, pathname }: URL): string {
  return outsideText(origin + pathname);
}

function get(url: URL, { client, mayBePrivate }: FetchOptions, timeoutMs: number) {
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
