/** Paths of Matrix APIs; empty segments are ignored in them as elsewhere. */
const MATRIX_PATH = /\/_matrix\/+(?:client|federation|app)\//;
const CALL_PATH =
  /\/_matrix\/+(client|federation)\/+(?:v1|unstable\/+io\.element\.msc4195)\/+rtc\/+livekit\/+([^/]+)\/*$/;
/** What a route can be called. Other segments may be IDs or tokens, which nobody may read in a log. */
const NAME = /^[a-z_.-]{1,40}$/;
const PING_PATH = /\/_matrix\/+app\/+v1\/+ping\/*$/;

/**
 * Finds out which route a URL's path names, whatever prefix a proxy has left
 * on it: the last segments decide, empty ones are ignored.
 *
 * Below `_matrix` the last segment alone does not decide: the homeserver's
 * `get_token` is another one than the service's own. Stable and unstable paths
 * of MSC4195 are one route.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { routePath } from "./route_path.ts";
 *
 * assertEquals(routePath("https://rtc.example.org/livekit/jwt//sfu/get?x=1"), "/sfu/get");
 * assertEquals(routePath("https://rtc.example.org/healthz/"), "/healthz");
 * assertEquals(routePath("https://rtc.example.org/livekit/jwt/unknown"), "/unknown");
 * assertEquals(
 *   routePath("http://rtc/_matrix/client/unstable/io.element.msc4195/rtc/livekit/get_token"),
 *   "/_matrix/client/rtc/livekit/get_token",
 * );
 * assertEquals(routePath("http://rtc/_matrix/client/v3/get_token"), "/_matrix");
 * assertEquals(routePath("http://rtc/_synapse/admin/v1/rooms/!room:example.org"), "/*");
 * ```
 *
 * @param url An absolute URL, as requests have it.
 * @returns `/`, `/sfu/get`, a slash and the last segment, or a route below `/_matrix`; `/_matrix`
 * itself for those that are none, and `/*` where the last segment cannot be the name of a route.
 */
export function routePath(url: string): string {
  const end = url.search(/[?#]/);
  const bare = end < 0 ? url : url.slice(0, end);
  const pathAt = bare.indexOf("/", bare.indexOf("://") + 3);
  if (pathAt < 0) return "/";
  const path = bare.slice(pathAt);
  if (MATRIX_PATH.test(path)) return matrixRoute(path);
  const match = /(?:^|\/)(sfu\/+get|[^/]+)\/*$/.exec(path);
  if (match === null) return "/";
  const last = match[1]!;
  if (last.startsWith("sfu/")) return "/sfu/get";
  return NAME.test(last) ? `/${last}` : "/*";
}

function matrixRoute(path: string): string {
  if (PING_PATH.test(path)) return "/_matrix/app/ping";
  const match = CALL_PATH.exec(path);
  if (match === null || !NAME.test(match[2]!)) return "/_matrix";
  return `/_matrix/${match[1]}/rtc/livekit/${match[2]}`;
}
