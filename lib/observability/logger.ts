/** The service's log: LogTape, set up once. */

import { configure, getLogger, type Logger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import { type Hop, MatrixError, UpstreamError } from "../matrix/errors.ts";
import { outsideText } from "../outside_text.ts";
import { formatJson, formatText } from "./log_format.ts";
import { createLogSink } from "./log_sink.ts";

/** What of a log can be decided. */
export interface LoggerOptions {
  readonly level: "debug" | "info" | "warning" | "error";
  readonly format: "text" | "json";
  /** Writes all of the bytes. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly clock: Clock;
}

/** A log, and how to wait until it is written. */
export interface ServiceLogger {
  readonly log: Logger;
  flush(): Promise<void>;
}

const CATEGORY = ["matrixrtc-auth"];

/** Sets LogTape up for the process. A second call replaces what the first one did. */
export async function createLogger(options: LoggerOptions): Promise<ServiceLogger> {
  const format = options.format === "json" ? formatJson : formatText;
  const { sink, flush } = createLogSink(format, options.write, options.clock);
  await configure({
    reset: true,
    sinks: { log: sink },
    loggers: [
      { category: CATEGORY, lowestLevel: options.level, sinks: ["log"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["log"] },
    ],
  });
  return { log: getLogger(CATEGORY), flush };
}

/** No more causes, and parts of an `AggregateError`, than anyone reads. */
const MAX_CAUSES = 8;
const MAX_PARTS = 4;

/**
 * Tells what went wrong with all its causes, the outermost first. Where a call to another server
 * failed at several hops, each cause says at which. Of errors that are not this service's own the
 * words may be anybody's, see {@linkcode outsideText}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { describeError } from "./logger.ts";
 *
 * const error = new Error("no token", { cause: new Error("connection refused") });
 * assertEquals(describeError(error), "no token: connection refused");
 * ```
 */
export function describeError(error: unknown): string {
  const messages: string[] = [];
  const outermost = hopOf(error);
  // A cause can be its own cause.
  for (let cause = error, depth = 0; cause !== undefined && depth < MAX_CAUSES; depth++) {
    const message = messageOf(cause).replace(/\.$/, "");
    // A wrapper often ends in its cause's words; once is enough.
    if (!messages.some((earlier) => earlier.endsWith(message))) {
      const hop = cause instanceof UpstreamError ? cause.hop : outermost;
      messages.push(hop === outermost ? message : `(${hop}) ${message}`);
    }
    cause = causeOf(cause);
  }
  return messages.join(": ");
}

/** Where on the way to another server it went wrong: the hop of the outermost cause that has one. */
export function hopOf(error: unknown): Hop | undefined {
  for (let cause = error, depth = 0; cause !== undefined && depth < MAX_CAUSES; depth++) {
    if (cause instanceof UpstreamError) return cause.hop;
    cause = causeOf(cause);
  }
  return undefined;
}

/** The same as a property of a log record, which lacks it where there is no hop. */
export function hopFact(error: unknown): { hop?: Hop } {
  const hop = hopOf(error);
  return hop === undefined ? {} : { hop };
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

function messageOf(error: unknown): string {
  if (error instanceof UpstreamError || error instanceof MatrixError) return error.message;
  // Anything can be thrown, also what has no text.
  try {
    if (!(error instanceof Error)) return outsideText(String(error));
    const message = outsideText(error.message || error.name);
    if (!(error instanceof AggregateError)) return message;
    const parts = error.errors.slice(0, MAX_PARTS).map(messageOf);
    return parts.length === 0 ? message : `${message} (${parts.join("; ")})`;
  } catch {
    return "a value without text";
  }
}
