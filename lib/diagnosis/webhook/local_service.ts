import type { ListenAddress } from "../../config/config.ts";

/**
 * Where the service answers on this very machine, as a URL.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { localServiceUrl } from "./local_service.ts";
 *
 * assertEquals(localServiceUrl({ kind: "tcp", port: 8080 }), "http://127.0.0.1:8080");
 * assertEquals(localServiceUrl({ kind: "unix", path: "/run/auth.sock" }), undefined);
 * ```
 *
 * @returns `undefined` where no URL leads there: a unix socket, or a port that the system chose.
 */
export function localServiceUrl(listen: ListenAddress): string | undefined {
  if (listen.kind === "unix" || listen.port === 0) return undefined;
  const { hostname, port } = listen;
  const isAny = hostname === undefined || hostname === "0.0.0.0" || hostname === "::";
  const host = isAny ? "127.0.0.1" : hostname;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
