/** How a homeserver passes requests on to its application service (MSC4512), as Synapse 1.163 does. */

import { Buffer } from "node:buffer";
import http from "node:http";

/** An application service, as its homeserver knows it. */
export interface ProxiedService {
  /** `proxy_url` of the registration, without a slash at its end; plain http only. */
  readonly serviceUrl: string;
  readonly hsToken: string;
}

/** Whom the homeserver vouches for: a client's user, or another homeserver. */
export type ProxiedCaller = { readonly userId: string } | { readonly origin: string };

/** Where the requests of MSC4195 go that clients and homeservers make; stable ones have `v1`. */
export const PROXIED_PATHS = {
  clientGetToken: "/_matrix/client/unstable/io.element.msc4195/rtc/livekit/get_token",
  delegate: "/_matrix/client/unstable/io.element.msc4195/rtc/livekit/delegate_delayed_leave",
  federationGetToken: "/_matrix/federation/unstable/io.element.msc4195/rtc/livekit/get_token",
} as const;

/**
 * Passes a request on with exactly the headers that Synapse sends: those of HTTP itself,
 * `Content-Type`, `Authorization`, and who is asking. `fetch` would add some of its own.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { startHttpServer } from "./http_server.ts";
 * import { proxyToService } from "./homeserver_proxy.ts";
 *
 * await using service = startHttpServer({ handler: () => Response.json({ jwt: "a.b.c" }) });
 * const to = { serviceUrl: service.url, hsToken: "hs-token" };
 * const answer = await proxyToService(to, { userId: "@alice:example.org" }, "/path", {});
 * assertEquals(await answer.json(), { jwt: "a.b.c" });
 * assertEquals(service.requests[0]!.headers.get("x-matrix-user-identifier"), "@alice:example.org");
 * ```
 *
 * @param path With the query, if any.
 * @param body Text is sent as it is, everything else as JSON; `undefined`: no body.
 * @param options.headers Further headers, or others in place of those; `null` leaves one out.
 */
export function proxyToService(
  { serviceUrl, hsToken }: ProxiedService,
  caller: ProxiedCaller,
  path: string,
  body: unknown,
  options: { method?: string; headers?: Record<string, string | null> } = {},
): Promise<Response> {
  const identity = "userId" in caller
    ? { "X-Matrix-User-Identifier": caller.userId }
    : { "X-Matrix-Origin": caller.origin };
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  const headers = Object.entries({
    ...(text !== undefined && { "Content-Type": "application/json" }),
    "Authorization": `Bearer ${hsToken}`,
    ...identity,
    ...options.headers,
    ...(text !== undefined && { "Content-Length": String(new TextEncoder().encode(text).length) }),
  }).filter((entry): entry is [string, string] => entry[1] !== null);
  return send(serviceUrl + path, options.method ?? "POST", Object.fromEntries(headers), text);
}

function send(
  url: string,
  method: string,
  headers: Record<string, string>,
  body: string | undefined,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: false }, (answer) => {
      const chunks: Uint8Array[] = [];
      answer.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () => {
        const pairs = Object.entries(answer.headers)
          .flatMap(([name, value]) =>
            [value ?? []].flat().map((one): [string, string] => [name, one])
          );
        const status = answer.statusCode!;
        const isEmpty = status === 204 || status === 304;
        const content = isEmpty ? null : new Uint8Array(Buffer.concat(chunks));
        resolve(new Response(content, { status, headers: pairs }));
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}
