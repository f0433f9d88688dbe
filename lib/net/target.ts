import type { Endpoint, HttpTarget } from "./http_client.ts";

/**
 * Completes a target with the key that tells it apart: all that decides who
 * answers, so that no two targets share connections unless they reach the same
 * server as the same server.
 */
export function createTarget(parts: Omit<HttpTarget, "key">): HttpTarget {
  const places = parts.endpoints.map(({ host, port }) => `${host}|${port}`).join(",");
  const { protocol, hostHeader, tlsName, mayBePrivate } = parts;
  const key = `${protocol} ${hostHeader} ${tlsName} ${places} ${mayBePrivate ? "private" : ""}`;
  return { ...parts, key };
}

/**
 * Finds the place that a URL names, its port by its scheme where it has none.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { endpointOfUrl } from "./target.ts";
 *
 * assertEquals(endpointOfUrl(new URL("https://[::1]/path")), { host: "::1", port: 443 });
 * ```
 *
 * @param url An `http:` or `https:` URL.
 */
export function endpointOfUrl(url: URL): Endpoint {
  const defaultPort = url.protocol === "https:" ? 443 : 80;
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? defaultPort : Number(url.port),
  };
}

/** A base URL taken apart into the server and the path that its API lies under. */
export interface BaseTarget {
  readonly target: HttpTarget;
  /** Without a slash at its end; empty for none. */
  readonly basePath: string;
}

/**
 * Makes the target of a base URL.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { targetOfUrl } from "./target.ts";
 *
 * const { target, basePath } = targetOfUrl("http://livekit:7880/sfu/", 8);
 * assertEquals([target.endpoints, basePath], [[{ host: "livekit", port: 7880 }], "/sfu"]);
 * ```
 *
 * @param baseUrl An `http:` or `https:` URL.
 * @param maxConnections See {@linkcode HttpTarget.maxConnections}.
 * @param mayBePrivate See {@linkcode HttpTarget.mayBePrivate}: unless told, the operator has
 * configured this URL.
 * @throws {TypeError} For text that is no URL.
 */
export function targetOfUrl(
  baseUrl: string,
  maxConnections: number,
  mayBePrivate = true,
): BaseTarget {
  const url = new URL(baseUrl);
  const endpoint = endpointOfUrl(url);
  const target = createTarget({
    protocol: url.protocol === "https:" ? "https" : "http",
    endpoints: [endpoint],
    tlsName: endpoint.host,
    hostHeader: url.host,
    mayBePrivate,
    maxConnections,
  });
  return { target, basePath: url.pathname.replace(/\/+$/, "") };
}
