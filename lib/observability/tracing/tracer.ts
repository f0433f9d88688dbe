/** Makes spans of the service's steps: one trace for each request, calls below it. */

import type { AsyncLocalStorage } from "node:async_hooks";
import type { Clock } from "../../clock.ts";
import { UpstreamError } from "../../matrix/errors.ts";
import type { Step, StepFacts, Watcher } from "../steps.ts";
import type { Span } from "./span.ts";
import { isSampled, type TraceIds } from "./trace_ids.ts";

/** A request whose trace is being made. */
export interface OpenRequest {
  readonly traceId: string;
  readonly spanId: string;
  /** What turns monotonic time into the time of day. One for a whole trace, so that it fits together. */
  readonly epoch: number;
  /** What begins later belongs to no request any more. */
  hasEnded: boolean;
}

/** What tracing needs. */
export interface TracerOptions {
  readonly clock: Clock;
  readonly ids: TraceIds;
  /** The share of requests that are traced. */
  readonly sampleRatio: number;
  /** Knows on whose behalf something runs. */
  readonly context: AsyncLocalStorage<OpenRequest>;
  /** Takes a span that has ended. */
  readonly take: (span: Span) => void;
}

/** Asked every few seconds by machines; their traces would bury all others. */
const PROBES = ["/healthz", "/readyz"];
/**
 * Calls that no request waits for, although a request may be what set them off: several requests'
 * share one queue, so whoever comes first would have them all.
 */
const BACKGROUND = ["restart", "send"];
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/**
 * Makes the watcher that traces.
 *
 * What a caller sends as its own trace is not heeded: whoever asks is a stranger, who could force
 * traces or put spans into those of others.
 */
export function createTracer(options: TracerOptions): Watcher {
  const { clock, ids, context, take, sampleRatio } = options;

  function watch<T>(step: Step, facts: StepFacts, action: () => Promise<T>): Promise<T> {
    return step.kind === "server" ? request(step, facts, action) : call(step, facts, action);
  }

  async function request<T>(step: Step, facts: StepFacts, action: () => Promise<T>): Promise<T> {
    if (PROBES.includes(step.name)) return await action();
    const traceId = ids.traceId();
    if (!isSampled(traceId, sampleRatio)) return await action();
    const start = clock.monotonic();
    const open: OpenRequest = {
      traceId,
      spanId: ids.spanId(),
      epoch: clock.now() - start,
      hasEnded: false,
    };
    let error: unknown;
    let isThrown = false;
    try {
      return await context.run(open, action);
    } catch (thrown) {
      isThrown = true;
      error = thrown;
      throw thrown;
    } finally {
      open.hasEnded = true;
      take({
        traceId,
        spanId: open.spanId,
        kind: "server",
        startedAt: open.epoch + start,
        endedAt: open.epoch + clock.monotonic(),
        ...describeRequest(step, facts),
        ...isThrown && { hasFailed: true, attributes: { "error.type": errorType(error) } },
      });
    }
  }

  async function call<T>(step: Step, facts: StepFacts, action: () => Promise<T>): Promise<T> {
    const parent = context.getStore();
    if (parent === undefined || parent.hasEnded || BACKGROUND.includes(step.name)) {
      return await action();
    }
    const { traceId, epoch } = parent;
    const start = clock.monotonic();
    let failure: string | undefined;
    try {
      return await action();
    } catch (error) {
      failure = errorType(error);
      throw error;
    } finally {
      const { server, method, status } = facts;
      const type = failure ?? (Number(status) >= 400 ? String(status) : undefined);
      take({
        traceId,
        spanId: ids.spanId(),
        parentSpanId: parent.spanId,
        name: step.name,
        kind: "client",
        startedAt: epoch + start,
        endedAt: epoch + clock.monotonic(),
        hasFailed: type !== undefined,
        attributes: {
          "http.request.method": method,
          ...addressOf(server),
          "http.response.status_code": status,
          "error.type": type,
        },
      });
    }
  }

  return { watch };
}

function describeRequest(
  { name }: Step,
  facts: StepFacts,
): Pick<Span, "name" | "hasFailed" | "attributes"> {
  // Anybody may send any word as a method, and any path.
  const method = METHODS.includes(String(facts.method)) ? String(facts.method) : "_OTHER";
  const isRoute = name.startsWith("/");
  const { status, hop, access, request } = facts;
  const hasFailed = Number(status) >= 500;
  return {
    name: `${method === "_OTHER" ? "HTTP" : method}${isRoute ? ` ${name}` : ""}`,
    hasFailed,
    attributes: {
      "http.request.method": method,
      "http.route": isRoute ? name : undefined,
      "http.response.status_code": status,
      "error.type": hop ?? (hasFailed ? String(status) : undefined),
      "matrixrtc.access": access,
      "matrixrtc.request_id": request,
    },
  };
}

/** Messages may hold anything; the hop is one of few words. */
function errorType(error: unknown): string {
  return error instanceof UpstreamError ? error.hop : "_OTHER";
}

function addressOf(server: string | number | undefined): Record<string, string | number> {
  if (typeof server !== "string") return {};
  const [, name, port] = /^(.*?)(?::([0-9]+))?$/.exec(server)!;
  return {
    "server.address": name!.replace(/^\[|\]$/g, ""),
    ...port !== undefined && { "server.port": Number(port) },
  };
}
