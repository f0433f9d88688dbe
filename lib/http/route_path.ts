/**
 * Finds out which route a URL's path names, whatever prefix a proxy has left
 * on it: the last segments decide, empty ones are ignored.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { routePath } from "./route_path.ts";
 *
 * assertEquals(routePath("https://rtc.example.org/livekit/jwt//sfu/get?x=1"), "/sfu/get");
 * assertEquals(routePath("https://rtc.example.org/healthz/"), "/healthz");
 * assertEquals(routePath("https://rtc.example.org/livekit/jwt/unknown"), "/unknown");
 * ```
 *
 * @param url An absolute URL, as requests have it.
 * @returns `/`, `/sfu/get`, or a slash and the last segment.
 */
export function routePath(url: string): string {
  const end = url.search(/[?#]/);
  const bare = end < 0 ? url : url.slice(0, end);
  const pathAt = bare.indexOf("/", bare.indexOf("://") + 3);
  if (pathAt < 0) return "/";
  const match = /(?:^|\/)(sfu\/+get|[^/]+)\/*$/.exec(bare.slice(pathAt));
  if (match === null) return "/";
  const last = match[1]!;
  return last.startsWith("sfu/") ? "/sfu/get" : `/${last}`;
}
