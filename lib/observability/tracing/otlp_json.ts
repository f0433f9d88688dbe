import type { Span } from "./span.ts";

/** The process that all spans come from. */
export type Resource = Readonly<Record<string, string>>;

/** `SpanKind` and `StatusCode` of OTLP, which in JSON are numbers. */
const KINDS = { server: 2, client: 3 };
const STATUS_ERROR = 2;

/**
 * Writes spans as OTLP over HTTP wants them in JSON: IDs in hexadecimal, times and whole numbers
 * as text, since they may be larger than JavaScript's numbers.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { toOtlpJson } from "./otlp_json.ts";
 *
 * const span = {
 *   traceId: "5b8efff798038103d269b633813fc60c",
 *   spanId: "eee19b7ec3c1b174",
 *   name: "userinfo",
 *   kind: "client" as const,
 *   startedAt: 1_795_516_265_000.5,
 *   endedAt: 1_795_516_265_031,
 *   hasFailed: false,
 *   attributes: { "http.response.status_code": 200 },
 * };
 * const [{ scopeSpans }] = JSON.parse(toOtlpJson({}, "1.0.0", [span])).resourceSpans;
 * assertEquals(scopeSpans[0].spans[0].startTimeUnixNano, "1795516265000500000");
 * ```
 *
 * @param version Of the code that made the spans.
 */
export function toOtlpJson(resource: Resource, version: string, spans: readonly Span[]): string {
  const scope = { name: "matrixrtc-auth", version };
  return JSON.stringify({
    resourceSpans: [{
      resource: { attributes: toKeyValues(resource) },
      scopeSpans: [{ scope, spans: spans.map(toOtlpSpan) }],
    }],
  });
}

function toOtlpSpan(span: Span) {
  const { traceId, spanId, parentSpanId, name, kind, startedAt, endedAt, hasFailed } = span;
  return {
    traceId,
    spanId,
    parentSpanId,
    name,
    kind: KINDS[kind],
    startTimeUnixNano: toNanoseconds(startedAt),
    endTimeUnixNano: toNanoseconds(endedAt),
    attributes: toKeyValues(span.attributes),
    status: hasFailed ? { code: STATUS_ERROR } : {},
  };
}

function toKeyValues(attributes: Span["attributes"]) {
  return Object.entries(attributes).filter(([, value]) => value !== undefined)
    .map(([key, value]) => ({
      key,
      value: typeof value === "number" ? { intValue: String(value) } : { stringValue: value },
    }));
}

// Microseconds are what the clock has, and still a whole number that is exact.
function toNanoseconds(ms: number): string {
  return `${Math.round(ms * 1000)}000`;
}
