// OpenTelemetry's variables together: whether traces are sent, where to, and of what.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { loadConfig } from "../../lib/config/load_config.ts";

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://otel:4318" };

function load(otel: Record<string, string>) {
  const { config, warnings } = loadConfig({
    env: {
      LIVEKIT_URL: "wss://sfu.example.org",
      LIVEKIT_KEY: "devkey",
      LIVEKIT_SECRET: "a-secret-of-thirty-two-characters!",
      LIVEKIT_FULL_ACCESS_HOMESERVERS: "example.org",
      ...otel,
    },
    readFile: () => "",
  });
  return { tracing: config.tracing, warnings: warnings.map(({ message }) => message) };
}

Deno.test("no endpoint, no traces", () => {
  const otel = { OTEL_SERVICE_NAME: "x", OTEL_EXPORTER_OTLP_HEADERS: "a=b" };
  assertEquals(load(otel), { tracing: undefined, warnings: [] });
});

Deno.test("an endpoint traces every request, under this service's name", () => {
  const { tracing, warnings } = load(ENDPOINT);
  assertEquals(warnings, []);
  assertEquals(tracing, {
    url: "http://otel:4318/v1/traces",
    headers: new Map(),
    serviceName: "matrixrtc-auth",
    sampleRatio: 1,
  });
});

Deno.test("the endpoint for traces alone is taken as it is, and wins", () => {
  const own = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://otel/in" };
  assertEquals(load({ ...ENDPOINT, ...own }).tracing?.url, "https://otel/in");
  assertEquals(load(own).tracing?.url, "https://otel/in");
});

Deno.test("a path before /v1/traces stays", () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "https://api.example.com/otlp/" };
  assertEquals(load(endpoint).tracing?.url, "https://api.example.com/otlp/v1/traces");
});

Deno.test("gRPC is not spoken: no traces, and a warning that says what to do", () => {
  const { tracing, warnings } = load({ ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" });
  assertEquals([tracing, warnings.length], [undefined, 1]);
  assertStringIncludes(warnings[0]!, "set it to http/json");
});

Deno.test("gRPC's port is pointed out", () => {
  const { tracing, warnings } = load({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://otel:4317" });
  assertEquals([tracing?.url, warnings.length], ["http://otel:4317/v1/traces", 1]);
});

Deno.test("protobuf is no reason to complain: its collectors take JSON too", () => {
  const { tracing, warnings } = load({ ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" });
  assert(tracing !== undefined);
  assertEquals(warnings, []);
});

const SAMPLERS: [Record<string, string>, number | undefined][] = [
  [{ OTEL_TRACES_SAMPLER: "always_on", OTEL_TRACES_SAMPLER_ARG: "0.5" }, 1],
  [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.5" }, 0.5],
  [{ OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.5" }, 0.5],
  [{ OTEL_TRACES_SAMPLER: "traceidratio" }, 1],
  [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" }, undefined],
  [{ OTEL_TRACES_SAMPLER: "parentbased_always_off" }, undefined],
];
for (const [otel, ratio] of SAMPLERS) {
  Deno.test(`sampling: ${Object.values(otel).join(" ")}`, () => {
    const { tracing, warnings } = load({ ...ENDPOINT, ...otel });
    assertEquals([tracing?.sampleRatio, warnings], [ratio, []]);
  });
}

Deno.test("an unknown sampler traces everything, with a warning", () => {
  const { tracing, warnings } = load({ ...ENDPOINT, OTEL_TRACES_SAMPLER: "jaeger_remote" });
  assertEquals([tracing?.sampleRatio, warnings.length], [1, 1]);
});

Deno.test("OTEL_SDK_DISABLED turns traces off", () => {
  const { tracing, warnings } = load({ ...ENDPOINT, OTEL_SDK_DISABLED: "True" });
  assertEquals([tracing, warnings], [undefined, []]);
});
