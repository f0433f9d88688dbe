/** What the listener for metrics answers. */

import { STATUS_CODE } from "@std/http/status";

/** Version 0.0.4 of Prometheus' text format, the one that every scraper reads. */
const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";
const POINTER = "matrixrtc-auth: metrics for Prometheus are at /metrics\n";

/**
 * Makes the function that answers on the metrics' own listener: `/metrics`, a
 * pointer to it at `/`, and nothing else.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createMetricsHandler } from "./metrics_endpoint.ts";
 *
 * const handle = createMetricsHandler(() => "up 1\n");
 * assertEquals(await handle(new Request("http://127.0.0.1:9090/metrics")).text(), "up 1\n");
 * assertEquals(handle(new Request("http://127.0.0.1:9090/get_token")).status, 404);
 * ```
 *
 * @param render Writes the metrics down.
 */
export function createMetricsHandler(render: () => string): (request: Request) => Response {
  return ({ method, url }) => {
    const { pathname } = new URL(url);
    if (pathname !== "/metrics" && pathname !== "/") {
      return plainText("Not found; metrics are at /metrics\n", STATUS_CODE.NotFound);
    }
    if (method !== "GET" && method !== "HEAD") {
      return plainText("Method not allowed\n", STATUS_CODE.MethodNotAllowed, {
        allow: "GET, HEAD",
      });
    }
    // To HEAD too: it says how long the answer to GET would be. Deno.serve leaves out the body.
    return plainText(pathname === "/" ? POINTER : render(), STATUS_CODE.OK);
  };
}

function plainText(body: string, status: number, headers: Record<string, string> = {}): Response {
  return new Response(body, {
    status,
    headers: {
      "content-type": CONTENT_TYPE,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...headers,
    },
  });
}
