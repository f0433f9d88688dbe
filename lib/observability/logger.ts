/** The service's log: LogTape, set up once. */

import { configure, getLogger, type Logger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
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

/**
 * Tells what went wrong with all its causes, the outermost first.
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
  // A cause can be its own cause; eight are more than anyone reads.
  for (let cause = error, depth = 0; cause !== undefined && depth < 8; depth++) {
    const text = cause instanceof Error ? cause.message || cause.name : asText(cause);
    const message = text.replace(/\.$/, "");
    // A wrapper often ends in its cause's words; once is enough.
    if (!messages.some((earlier) => earlier.endsWith(message))) messages.push(message);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return messages.join(": ");
}

// Anything can be thrown, also what has no text.
function asText(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "a value without text";
  }
}
