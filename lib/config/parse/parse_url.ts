import { InvalidValueError } from "./invalid_value.ts";

/**
 * Parses the SFU's address, which clients get letter by letter.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { parseSfuUrl } from "./parse_url.ts";
 *
 * assertEquals(parseSfuUrl("wss://sfu.example.org/a/"), "wss://sfu.example.org/a/");
 * assertThrows(() => parseSfuUrl("sfu.example.org"), Error);
 * ```
 */
export function parseSfuUrl(text: string): string {
  checkUrl(text, ["ws", "wss", "http", "https"]);
  return text;
}

/**
 * Derives the base of the server API from the address of the SFU: over HTTP, with its path
 * prefix, without a slash at its end.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { toApiUrl } from "./parse_url.ts";
 *
 * assertEquals(toApiUrl("wss://example.org/livekit/sfu/"), "https://example.org/livekit/sfu");
 * ```
 *
 * @param sfuUrl What {@linkcode parseSfuUrl} accepted.
 */
export function toApiUrl(sfuUrl: string): string {
  return withoutTrailingSlash(new URL(sfuUrl.replace(/^ws/i, "http")));
}

/**
 * Parses the base URL of an HTTP API. Without a scheme it means `https:`; the slash at its end
 * is dropped.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseHttpBaseUrl } from "./parse_url.ts";
 *
 * assertEquals(parseHttpBaseUrl("http://synapse:8008/"), "http://synapse:8008");
 * assertEquals(parseHttpBaseUrl("matrix.example.org"), "https://matrix.example.org");
 * ```
 */
export function parseHttpBaseUrl(text: string): string {
  return parseHttpUrl(text.includes("://") ? text : `https://${text}`);
}

/**
 * Parses the base URL of an HTTP API that has to name its scheme.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { parseHttpUrl } from "./parse_url.ts";
 *
 * assertEquals(parseHttpUrl("http://auth:8080/"), "http://auth:8080");
 * assertThrows(() => parseHttpUrl("auth:8080"), Error);
 * ```
 */
export function parseHttpUrl(text: string): string {
  return withoutTrailingSlash(checkUrl(text, ["http", "https"]));
}

/**
 * Parses a URL strictly: `new URL` alone would repair backslashes, blanks and missing slashes,
 * and then the text that is kept would not be what was checked.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { checkUrl } from "./parse_url.ts";
 *
 * assertEquals(checkUrl("redis://cache/1", ["redis"]).hostname, "cache");
 * assertThrows(() => checkUrl("redis:cache", ["redis"]), Error);
 * ```
 *
 * @param text The whole URL.
 * @param schemes Accepted ones, without the colon.
 * @param allow What else may be in it; none of it by default.
 */
export function checkUrl(
  text: string,
  schemes: readonly string[],
  allow: { userInfo?: boolean; query?: boolean } = {},
): URL {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) throw new InvalidValueError("it does not begin with a scheme and ://");
  if (!schemes.includes(scheme)) throw new InvalidValueError(`${scheme}: is not accepted here`);
  if (/[\s\\\p{Cc}]/u.test(text)) {
    throw new InvalidValueError("a URL holds no blanks, backslashes or control characters");
  }
  const rest = text.slice(scheme.length + "://".length);
  if (rest === "" || rest.startsWith("/")) throw new InvalidValueError("it has no host");
  if (!URL.canParse(text)) throw new InvalidValueError("it is not a valid URL");
  const url = new URL(text);
  // The URL standard lets characters pass that no name in DNS has, such as "=".
  if (!/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$/.test(url.hostname)) {
    throw new InvalidValueError("its host is neither a name nor an address");
  }
  if (!allow.userInfo && rest.split(/[/?#]/, 1)[0]!.includes("@")) {
    throw new InvalidValueError("it holds a user or password");
  }
  if (text.includes("#")) throw new InvalidValueError("it holds a fragment");
  if (!allow.query && text.includes("?")) throw new InvalidValueError("it holds a query");
  return url;
}

function withoutTrailingSlash(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, "")}`;
}
