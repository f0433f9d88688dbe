import { assertEquals, assertStringIncludes } from "@std/assert";
import { UpstreamError } from "../../../lib/matrix/errors.ts";
import type { HttpClient, HttpRequest, HttpTarget } from "../../../lib/net/http_client.ts";
import { createDelivery } from "../../../lib/observability/tracing/collector.ts";
import { Secret } from "../../../lib/secret.ts";

const URL = "http://otel:4318/base/v1/traces";

function createWorld(answer: { status: number; headers?: Record<string, string>; body?: string }) {
  const seen: { target: HttpTarget; request: HttpRequest }[] = [];
  const client: HttpClient = {
    request(target, request) {
      seen.push({ target, request });
      const { status, headers = {}, body = "" } = answer;
      return Promise.resolve({ status, headers, body: new TextEncoder().encode(body) });
    },
    close: () => Promise.resolve(),
  };
  const headers = new Map([["authorization", new Secret("Bearer hunter2")]]);
  return { seen, deliver: createDelivery({ url: URL, headers }, client) };
}

Deno.test("createDelivery() posts JSON to the URL, with the operator's headers", async () => {
  const { seen, deliver } = createWorld({ status: 200, body: "{}" });
  assertEquals(await deliver("{}", 1_000), { kind: "taken", rejected: 0 });
  const [{ target, request }] = seen as [typeof seen[0]];
  assertEquals([target.hostHeader, target.mayBePrivate], ["otel:4318", true]);
  assertEquals([request.method, request.path, request.body], ["POST", "/base/v1/traces", "{}"]);
  assertEquals(request.timeoutMs, 1_000);
  assertEquals(request.headers, {
    authorization: "Bearer hunter2",
    "content-type": "application/json",
  });
});

Deno.test("createDelivery() counts what a collector did not take", async () => {
  const body = '{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}';
  const { deliver } = createWorld({ status: 200, body });
  assertEquals(await deliver("{}", 1_000), { kind: "taken", rejected: 3 });
});

Deno.test("createDelivery() takes any body of a success for one", async () => {
  for (const body of ["", "<html>", "null", '{"partialSuccess":{"rejectedSpans":-1}}']) {
    const { deliver } = createWorld({ status: 200, body });
    assertEquals(await deliver("{}", 1_000), { kind: "taken", rejected: 0 }, body);
  }
});

for (const status of [429, 502, 503, 504]) {
  Deno.test(`createDelivery() says that HTTP ${status} may be tried again`, async () => {
    const { deliver } = createWorld({ status, headers: { "retry-after": "7" } });
    const delivery = await deliver("{}", 1_000);
    assertEquals(delivery, { kind: "later", reason: `it says HTTP ${status}`, waitMs: 7_000 });
  });
}

for (const status of [301, 400, 401, 403, 404, 500]) {
  Deno.test(`createDelivery() says that HTTP ${status} is final`, async () => {
    const { deliver } = createWorld({ status });
    const delivery = await deliver("{}", 1_000);
    assertEquals(delivery.kind, "refused");
  });
}

Deno.test("createDelivery() heeds no Retry-After that is no number of seconds", async () => {
  for (const value of ["-1", "Wed, 21 Oct 2026 07:28:00 GMT", "soon", "NaN"]) {
    const { deliver } = createWorld({ status: 503, headers: { "retry-after": value } });
    assertEquals(await deliver("{}", 1), { kind: "later", reason: "it says HTTP 503" }, value);
  }
});

Deno.test("createDelivery() names the setting to look at", async () => {
  const reasonOf = async (status: number) => {
    const delivery = await createWorld({ status }).deliver("{}", 1_000);
    return delivery.kind === "taken" ? "" : delivery.reason;
  };
  assertStringIncludes(await reasonOf(401), "OTEL_EXPORTER_OTLP_HEADERS");
  assertStringIncludes(await reasonOf(404), "OTEL_EXPORTER_OTLP_ENDPOINT");
});

Deno.test("createDelivery() never throws, and passes on what is known to be harmless only", async () => {
  const failWith = (error: Error): HttpClient => ({
    request: () => Promise.reject(error),
    close: () => Promise.resolve(),
  });
  const deliver = (error: Error) =>
    createDelivery({ url: URL, headers: new Map() }, failWith(error))("{}", 1_000);
  assertEquals(await deliver(new UpstreamError("tcp", "nothing listens at otel:4318")), {
    kind: "later",
    reason: "nothing listens at otel:4318",
  });
  assertEquals(await deliver(new TypeError("bad header: Bearer hunter2")), {
    kind: "later",
    reason: "a bug",
  });
});
