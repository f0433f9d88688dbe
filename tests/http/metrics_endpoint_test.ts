import { assertEquals } from "@std/assert";
import { createMetricsHandler } from "../../lib/http/metrics_endpoint.ts";

const TEXT = "matrixrtc_auth_requests_in_work 3\n";

for (
  const { method, path, status, body } of [
    { method: "GET", path: "/metrics", status: 200, body: TEXT },
    { method: "GET", path: "/metrics?name[]=up", status: 200, body: TEXT },
    { method: "HEAD", path: "/metrics", status: 200, body: TEXT },
    { method: "GET", path: "/", status: 200, body: undefined },
    { method: "POST", path: "/metrics", status: 405, body: undefined },
    { method: "GET", path: "/metrics/", status: 404, body: undefined },
    { method: "GET", path: "/get_token", status: 404, body: undefined },
    { method: "POST", path: "/get_token", status: 404, body: undefined },
    { method: "GET", path: "/healthz", status: 404, body: undefined },
  ]
) {
  Deno.test(`createMetricsHandler() answers ${method} ${path} with ${status}`, async () => {
    const handle = createMetricsHandler(() => TEXT);
    const response = handle(new Request(`http://127.0.0.1:9464${path}`, { method }));
    assertEquals(response.status, status);
    assertEquals(
      response.headers.get("content-type"),
      "text/plain; version=0.0.4; charset=utf-8",
    );
    const text = await response.text();
    if (body !== undefined) assertEquals(text, body);
    else assertEquals(text.includes("matrixrtc_auth_"), false);
  });
}
