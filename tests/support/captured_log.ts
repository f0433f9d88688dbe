import { createLogger, type LoggerOptions } from "../../lib/observability/logger.ts";
import { collectOutput } from "./evidence.ts";

/** The service's real log, written to memory. */
export interface CapturedLog {
  readonly log: Awaited<ReturnType<typeof createLogger>>["log"];
  /** All that has been logged so far, as it would stand on standard error. */
  logText(): Promise<string>;
}

/**
 * Makes a log whose lines can be read.
 *
 * @param options As for the service, but for where the lines go.
 */
export async function captureLog(options: Omit<LoggerOptions, "write">): Promise<CapturedLog> {
  const collect = collectOutput("log");
  let written = "";
  const { log, flush } = await createLogger({
    ...options,
    write: (bytes) => {
      const text = new TextDecoder().decode(bytes);
      written += text;
      collect(text);
      return Promise.resolve();
    },
  });
  return {
    log,
    async logText() {
      await flush();
      return written;
    },
  };
}
