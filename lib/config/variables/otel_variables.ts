import {
  parseOtelSwitch,
  parseOtlpEndpoint,
  parseOtlpHeaders,
  parseOtlpProtocol,
  parseOtlpTracesEndpoint,
  parseSampler,
  parseSamplerArgument,
  parseServiceName,
} from "../parse/parse_otel.ts";
import type { Variable } from "./variable.ts";

/**
 * OpenTelemetry's own variables, with the meaning that its specification gives them. A machine
 * may set them for all its services, so what is unknown here is warned about and not refused.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { OTEL_VARIABLES } from "./otel_variables.ts";
 *
 * assertEquals(OTEL_VARIABLES.OTEL_SERVICE_NAME.default, "matrixrtc-auth");
 * ```
 */
export const OTEL_VARIABLES = {
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    group: "Logs and metrics",
    meaning: "base URL of a collector for traces; /v1/traces is added",
    accepts: "an http or https URL, as in http://otel.example.org:4318",
    unset: "none",
    parse: parseOtlpEndpoint,
  },
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: {
    group: "Logs and metrics",
    meaning: "whole URL that takes traces, in place of the base URL",
    accepts: "an http or https URL",
    unset: "none",
    parse: parseOtlpTracesEndpoint,
  },
  OTEL_EXPORTER_OTLP_HEADERS: {
    group: "Logs and metrics",
    meaning: "headers for the collector, its credentials for example",
    accepts: "name=value entries, separated by commas, values percent-encoded",
    unset: "none",
    secret: "value",
    parse: parseOtlpHeaders,
  },
  OTEL_EXPORTER_OTLP_PROTOCOL: {
    group: "Logs and metrics",
    meaning: "how to speak to the collector; it is sent JSON over HTTP",
    accepts: "http/json or http/protobuf",
    default: "http/json",
    parse: parseOtlpProtocol,
  },
  OTEL_SERVICE_NAME: {
    group: "Logs and metrics",
    meaning: "this service's name in traces",
    accepts: "up to 255 characters",
    default: "matrixrtc-auth",
    parse: parseServiceName,
  },
  OTEL_TRACES_SAMPLER: {
    group: "Logs and metrics",
    meaning: "which requests are traced",
    accepts: "always_on, always_off or traceidratio, also with parentbased_ before it",
    default: "parentbased_always_on",
    parse: parseSampler,
  },
  OTEL_TRACES_SAMPLER_ARG: {
    group: "Logs and metrics",
    meaning: "the share of requests that traceidratio traces",
    accepts: "a number from 0 to 1",
    default: "1",
    parse: parseSamplerArgument,
  },
  OTEL_SDK_DISABLED: {
    group: "Logs and metrics",
    meaning: "true sends no traces whatever else is set",
    accepts: "true or false",
    default: "false",
    parse: parseOtelSwitch,
  },
} as const satisfies Record<string, Variable>;
