// Traces in a real OpenTelemetry Collector, of a real token.

import { assert, assertEquals } from "@std/assert";
import { getToken } from "./support/exchange.ts";
import { startOtelCollector } from "./support/otelcol.ts";
import { startWorld } from "./support/world.ts";

Deno.test("a real collector shows a request, userinfo and CreateRoom as one trace", async () => {
  await using world = await startWorld();
  await using collector = await startOtelCollector();
  const { client } = world.near;
  const alice = await client.register("alice");
  const service = await world.startService({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  try {
    await getToken(service.url, client, alice, { roomId: "!traced", slotId: "m.call#0" });
  } finally {
    await service.stop();
  }
  // What the service has sent before its end was taken by then, and is printed before the end.
  await collector.stop();
  assert(!service.output.includes("traces do not get to"), service.output);

  const spans = collector.spans();
  const root = spans.find(({ name }) => name === "POST /get_token");
  assert(root !== undefined, collector.output);
  assertEquals([root.kind, root.parentId], ["Server", ""]);
  assert(root.attributes.includes("http.route: Str(/get_token)"));
  assert(root.attributes.includes("http.response.status_code: Int(200)"));
  const calls = spans.filter((span) => span !== root);
  assertEquals(
    calls.map(({ name, kind, traceId, parentId }) => [name, kind, traceId, parentId]),
    ["userinfo", "CreateRoom"].map((name) => [name, "Client", root.traceId, root.spanId]),
  );
  assert(collector.output.includes("service.name: Str(matrixrtc-auth)"));
  for (const word of [alice.userId, "!traced", world.sfu.apiSecret, "access_token"]) {
    assert(!collector.output.includes(word), word);
  }
});
