import { Secret } from "../../secret.ts";
import { InvalidValueError, type ParseContext } from "./invalid_value.ts";
import { checkUrl, parseHttpUrl } from "./parse_url.ts";
import { quoteValue } from "./quote_value.ts";

/** Collectors listen there for gRPC, which is not spoken here. */
const GRPC_PORT = "4317";
const TRACES_PATH = "/v1/traces";

/**
 * Parses the base URL of an OpenTelemetry collector into where it takes traces.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseOtlpEndpoint } from "./parse_otel.ts";
 *
 * const context = { warn: () => {}, readFile: () => "" };
 * assertEquals(parseOtlpEndpoint("http://otel:4318/", context), "http://otel:4318/v1/traces");
 * ```
 */
export function parseOtlpEndpoint(text: string, context: ParseContext): string {
  return parseOtlpTracesEndpoint(`${parseHttpUrl(text)}${TRACES_PATH}`, context);
}

/**
 * Parses the URL that takes traces, kept as it is.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseOtlpTracesEndpoint } from "./parse_otel.ts";
 *
 * const context = { warn: () => {}, readFile: () => "" };
 * assertEquals(parseOtlpTracesEndpoint("http://otel/traces", context), "http://otel/traces");
 * ```
 */
export function parseOtlpTracesEndpoint(text: string, context: ParseContext): string {
  const url = checkUrl(text, ["http", "https"]);
  if (url.port === GRPC_PORT) {
    context.warn(
      `names port ${GRPC_PORT}, which is gRPC's with most collectors: OTLP over HTTP, which is ` +
        "spoken here, is at 4318",
    );
  }
  return url.href;
}

/**
 * Parses headers for the collector, `name=value,…`, values percent-encoded. Values are secret.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseOtlpHeaders } from "./parse_otel.ts";
 *
 * const headers = parseOtlpHeaders("authorization=Bearer%20abc, x-scope=1");
 * assertEquals(headers.get("authorization")?.reveal(), "Bearer abc");
 * assertEquals(headers.size, 2);
 * ```
 */
export function parseOtlpHeaders(text: string): ReadonlyMap<string, Secret> {
  const headers = new Map<string, Secret>();
  for (const entry of text.split(",")) {
    if (entry.trim() === "") continue;
    const [, name, encoded] = /^\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=(.*)$/s.exec(entry) ?? [];
    if (name === undefined) throw new InvalidValueError("an entry of it is not name=value");
    let value: string;
    try {
      value = decodeURIComponent(encoded!.trim());
    } catch {
      throw new InvalidValueError("a value of it is not percent-encoded as it should be");
    }
    if (!/^[\t -~]*$/.test(value)) {
      throw new InvalidValueError("a value of it holds what is no printable ASCII character");
    }
    headers.set(name.toLowerCase(), new Secret(value));
  }
  return headers;
}

/**
 * Parses the protocol to the collector. JSON over HTTP is what is spoken; whoever takes protobuf
 * over HTTP takes that too. Only gRPC is something else.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseOtlpProtocol } from "./parse_otel.ts";
 *
 * const warnings: string[] = [];
 * const context = { warn: (message: string) => warnings.push(message), readFile: () => "" };
 * assertEquals(parseOtlpProtocol("http/protobuf", context), "http");
 * assertEquals([parseOtlpProtocol("grpc", context), warnings.length], ["grpc", 1]);
 * ```
 *
 * @returns `grpc`: nothing can be sent.
 */
export function parseOtlpProtocol(text: string, context: ParseContext): "http" | "grpc" {
  switch (text.toLowerCase()) {
    case "http/json":
    case "http/protobuf":
      return "http";
    case "grpc":
      context.warn(
        "is grpc, which is not spoken here, so no traces are sent: set it to http/json and give " +
          "the collector's HTTP port, usually 4318",
      );
      return "grpc";
  }
  context.warn(`is ${quoteValue(text)}, which is no protocol: taking http/json`);
  return "http";
}

/** How one decides whether a request is traced. */
export type SamplerKind = "always_on" | "always_off" | "traceidratio";

/**
 * Parses the name of a sampler. No request here has a parent that would decide, so both forms of
 * each name mean the same. An unknown one counts as `always_on`, as OpenTelemetry wants it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseSampler } from "./parse_otel.ts";
 *
 * const context = { warn: () => {}, readFile: () => "" };
 * assertEquals(parseSampler("parentbased_traceidratio", context), "traceidratio");
 * assertEquals(parseSampler("jaeger_remote", context), "always_on");
 * ```
 */
export function parseSampler(text: string, context: ParseContext): SamplerKind {
  const kind = text.toLowerCase().replace(/^parentbased_/, "");
  if (kind === "always_on" || kind === "always_off" || kind === "traceidratio") return kind;
  context.warn(`is ${quoteValue(text)}, which is not known here: tracing every request`);
  return "always_on";
}

/**
 * Parses the share of requests to trace. What is none counts as all, as OpenTelemetry wants it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseSamplerArgument } from "./parse_otel.ts";
 *
 * const context = { warn: () => {}, readFile: () => "" };
 * assertEquals([parseSamplerArgument("0.1", context), parseSamplerArgument("2", context)], [0.1, 1]);
 * ```
 */
export function parseSamplerArgument(text: string, context: ParseContext): number {
  const ratio = /^(?:[0-9]+\.?[0-9]*|\.[0-9]+)$/.test(text) ? Number(text) : NaN;
  if (ratio >= 0 && ratio <= 1) return ratio;
  context.warn(`is ${quoteValue(text)}, which is no number from 0 to 1: taking 1`);
  return 1;
}

/**
 * Parses OpenTelemetry's switch: `true` in any case, and anything else is false.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseOtelSwitch } from "./parse_otel.ts";
 *
 * const context = { warn: () => {}, readFile: () => "" };
 * assertEquals([parseOtelSwitch("TRUE", context), parseOtelSwitch("1", context)], [true, false]);
 * ```
 */
export function parseOtelSwitch(text: string, context: ParseContext): boolean {
  const word = text.toLowerCase();
  if (word !== "true" && word !== "false") {
    context.warn(`is ${quoteValue(text)}, which OpenTelemetry takes for false`);
  }
  return word === "true";
}

/**
 * Parses the name that this service has in traces.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseServiceName } from "./parse_otel.ts";
 *
 * assertEquals(parseServiceName("calls-auth"), "calls-auth");
 * ```
 */
export function parseServiceName(text: string): string {
  if (/\p{Cc}/u.test(text)) throw new InvalidValueError("it holds a control character");
  if (text.length > 255) throw new InvalidValueError("it has more than 255 characters");
  return text;
}
