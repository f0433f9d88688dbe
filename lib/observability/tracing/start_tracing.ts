/** Puts tracing together. Loaded only where traces are wanted. */

import type { Logger } from "@logtape/logtape";
import type { Clock } from "../../clock.ts";
import type { TracingConfig } from "../../config/config.ts";
import type { HttpClient } from "../../net/http_client.ts";
import { VERSION } from "../../version.ts";
import type { Watcher } from "../steps.ts";
import { createDelivery } from "./collector.ts";
import { toOtlpJson } from "./otlp_json.ts";
import { SpanQueue } from "./span_queue.ts";
import { createTraceIds } from "./trace_ids.ts";
import { createTracer, type OpenRequest } from "./tracer.ts";

/** What tracing needs of the world. */
export interface TracingEffects {
  readonly clock: Clock;
  /** Not one whose requests are watched. */
  readonly client: HttpClient;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly fillRandom: (bytes: Uint8Array<ArrayBuffer>) => void;
  readonly log: Logger;
}

/** Traces that are being made. */
export interface Tracing {
  readonly watcher: Watcher;
  /**
   * For all that may work on behalf of a request: what is to be done later is done on behalf of
   * whoever has set it, although timers are shared.
   */
  readonly clock: Clock;
  /** Sends what is left, at the end. */
  flush(timeoutMs: number): Promise<void>;
}

/** Starts tracing. Nothing is connected to before the first trace is complete. */
export async function startTracing(
  config: TracingConfig,
  effects: TracingEffects,
): Promise<Tracing> {
  const { clock, client, random, fillRandom, log } = effects;
  // A bundle loads at its start what is imported in any other way.
  const { AsyncLocalStorage } = await import("node:async_hooks");
  const ids = createTraceIds(fillRandom);
  const resource = {
    "service.name": config.serviceName,
    "service.version": VERSION,
    "service.instance.id": ids.traceId(),
  };
  const queue = new SpanQueue({
    clock,
    random,
    log,
    deliver: createDelivery(config, client),
    encode: (spans) => toOtlpJson(resource, VERSION, spans),
    place: new URL(config.url).origin,
  });
  return {
    watcher: createTracer({
      clock,
      ids,
      sampleRatio: config.sampleRatio,
      context: new AsyncLocalStorage<OpenRequest>(),
      take: (span) => queue.add(span),
    }),
    clock: {
      now: clock.now,
      monotonic: clock.monotonic,
      after: (ms, action) => clock.after(ms, AsyncLocalStorage.bind(action)),
    },
    flush: (timeoutMs) => queue.flush(timeoutMs),
  };
}
