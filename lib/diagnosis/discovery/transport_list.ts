/** Lists of transports, as the well-known file and the homeserver's API have them. */

/** Says whether a value is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Finds where a list sends clients for LiveKit tokens.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serviceUrlsOf } from "./transport_list.ts";
 *
 * const entry = { type: "livekit", livekit_service_url: "https://example.org/livekit/jwt" };
 * assertEquals(serviceUrlsOf([entry, { type: "other" }]), ["https://example.org/livekit/jwt"]);
 * ```
 *
 * @param list Anything; what is no list has no entries.
 * @returns Every `livekit_service_url` that is an http or https URL, as written.
 */
export function serviceUrlsOf(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  return list.filter(isLiveKit).map((entry) => entry.livekit_service_url)
    .filter((url): url is string =>
      typeof url === "string" && /^https?:$/.test(URL.parse(url)?.protocol ?? "")
    );
}

/** Says whether an entry is about LiveKit. */
export function isLiveKit(entry: unknown): entry is Record<string, unknown> {
  return isObject(entry) && entry.type === "livekit";
}
