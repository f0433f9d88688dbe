import type { TestCertificate } from "../support/test_ca.ts";
import { Counter } from "./counter.ts";
import { type HttpServer, startHttpServer } from "./http_server.ts";

/** A span as it arrived. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Absent for a root. */
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: "server" | "client";
  /** Nanoseconds since the Unix epoch. */
  readonly start: bigint;
  readonly end: bigint;
  readonly hasFailed: boolean;
  readonly attributes: Readonly<Record<string, string | number>>;
  /** What the process says of itself. */
  readonly resource: Readonly<Record<string, string | number>>;
}

/** How a fake collector behaves. All of it may be changed while it runs. */
export interface OtlpCollectorSettings {
  /** Looks at every request first; what it returns is the answer, and nothing is taken. */
  respond?(request: Request): Response | undefined | Promise<Response | undefined>;
}

/** A fake collector that listens. `await using collector = …` closes it with the block. */
export interface OtlpCollector extends HttpServer {
  /** All spans that it has taken. */
  readonly spans: CollectedSpan[];
  /** All bodies that have come, as text, taken or not. */
  readonly bodies: string[];
  /** What was wrong with requests; a test should end with none. */
  readonly faults: string[];
  /** Resolves once this many spans have been taken. */
  collected(count: number): Promise<void>;
  /** Its behaviour, to be changed at will. */
  readonly settings: OtlpCollectorSettings;
}

/**
 * Starts a collector that takes traces by OTLP over HTTP in JSON, and is strict about the form:
 * what a real one would overlook or refuse is a fault.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { startOtlpCollector } from "./otlp_collector.ts";
 *
 * await using collector = startOtlpCollector();
 * const body = '{"resourceSpans":[{"resource":{},"scopeSpans":[{"spans":[{"traceId":"00"}]}]}]}';
 * const headers = { "content-type": "application/json" };
 * const url = `${collector.url}/v1/traces`;
 * const response = await fetch(url, { method: "POST", headers, body });
 * await response.body?.cancel();
 * assertEquals([response.status, collector.spans.length], [400, 0]);
 * assertEquals(collector.faults[0], "traceId: 00");
 * ```
 */
export function startOtlpCollector(
  options: OtlpCollectorSettings & { tls?: TestCertificate } = {},
): OtlpCollector {
  const { tls, ...settings } = options;
  const spans: CollectedSpan[] = [];
  const bodies: string[] = [];
  const faults: string[] = [];
  const taken = new Counter();

  const server = startHttpServer({
    ...(tls && { tls }),
    async handler(request) {
      const text = await request.text();
      bodies.push(text);
      const answer = await settings.respond?.(request);
      if (answer !== undefined) return answer;
      try {
        check(request.method === "POST", "method", request.method);
        const path = new URL(request.url).pathname;
        check(path === "/v1/traces", "path", path);
        const type = request.headers.get("content-type");
        check(type === "application/json", "content-type", type);
        const read = readSpans(text);
        spans.push(...read);
        for (const _ of read) taken.increment();
        return Response.json({ partialSuccess: {} });
      } catch (error) {
        faults.push((error as Error).message);
        return Response.json({ code: 3, message: "bad request" }, { status: 400 });
      }
    },
  });
  return Object.assign(server, {
    spans,
    bodies,
    faults,
    settings,
    collected: (count: number) => taken.reached(count),
  });
}

const KINDS: Readonly<Record<number, CollectedSpan["kind"]>> = { 2: "server", 3: "client" };
const ID = { trace: /^[0-9a-f]{32}$/, span: /^[0-9a-f]{16}$/ };

// deno-lint-ignore no-explicit-any -- every part of it is checked before it is used
type Unchecked = any;

function readSpans(text: string): CollectedSpan[] {
  const { resourceSpans, ...more } = JSON.parse(text);
  check(Object.keys(more).length === 0, "fields", Object.keys(more));
  return resourceSpans.flatMap(({ resource, scopeSpans }: Unchecked) => {
    const ofProcess = readAttributes(resource.attributes ?? []);
    return scopeSpans.flatMap(({ spans }: Unchecked) =>
      spans.map((span: Unchecked) => readSpan(span, ofProcess))
    );
  });
}

function readSpan(span: Unchecked, resource: CollectedSpan["resource"]): CollectedSpan {
  const { traceId, spanId, parentSpanId, name, kind } = span;
  check(ID.trace.test(traceId) && /[^0]/.test(traceId), "traceId", traceId);
  check(ID.span.test(spanId) && /[^0]/.test(spanId), "spanId", spanId);
  check(parentSpanId === undefined || ID.span.test(parentSpanId), "parentSpanId", parentSpanId);
  check(typeof name === "string" && name !== "", "name", name);
  check(KINDS[kind] !== undefined, "kind", kind);
  for (const time of [span.startTimeUnixNano, span.endTimeUnixNano]) {
    // A number would have lost its last digits on the way.
    check(typeof time === "string" && /^1[0-9]{18}$/.test(time), "time", time);
  }
  const [start, end] = [BigInt(span.startTimeUnixNano), BigInt(span.endTimeUnixNano)];
  check(start <= end, "end", String(end - start));
  const code = span.status?.code ?? 0;
  check([0, 1, 2].includes(code), "status", code);
  return {
    traceId,
    spanId,
    ...(parentSpanId !== undefined && { parentSpanId }),
    name,
    kind: KINDS[kind]!,
    start,
    end,
    hasFailed: code === 2,
    attributes: readAttributes(span.attributes ?? []),
    resource,
  };
}

function readAttributes(attributes: Unchecked[]): Record<string, string | number> {
  return Object.fromEntries(attributes.map(({ key, value }) => {
    check(typeof key === "string" && key !== "", "key", key);
    const [[type, content], ...others] = Object.entries(value) as [[string, unknown]];
    check(others.length === 0 && typeof content === "string", key, JSON.stringify(value));
    if (type === "stringValue") return [key, content as string];
    check(type === "intValue" && /^-?[0-9]+$/.test(content as string), key, JSON.stringify(value));
    return [key, Number(content)];
  }));
}

function check(isRight: boolean, what: string, value: unknown): void {
  if (!isRight) throw new TypeError(`${what}: ${value}`);
}
