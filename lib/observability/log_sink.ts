import type { Clock } from "../clock.ts";
import type { LogRecord, Sink, TextFormatter } from "@logtape/logtape";

/** Where log lines go, and how to wait for them. */
export interface LogSink {
  readonly sink: Sink;
  /** Resolves when all that was logged so far has been written. */
  flush(): Promise<void>;
}

const UTF_8 = new TextEncoder();
/** Lines of this while go out together; each write of its own would cost as much as a request. */
const BATCH_MS = 50;
/** Lines that may wait for a slow reader of the log; newer ones are dropped and counted. */
const MAX_WAITING_LINES = 10_000;

/**
 * Writes log lines in batches, so that neither a burst of lines nor a slow
 * reader of the log delays a request.
 *
 * @param write Writes all of the bytes, such as a wrapper of `Deno.stderr`.
 */
export function createLogSink(
  format: TextFormatter,
  write: (bytes: Uint8Array) => Promise<void>,
  clock: Clock,
): LogSink {
  let waiting: string[] = [];
  let dropped = 0;
  let lastDropped: LogRecord | undefined;
  let writing: Promise<void> | undefined;
  let isFlushing = false;
  let hurry = () => {};

  function pause(): Promise<void> {
    if (isFlushing) return Promise.resolve();
    return new Promise((resolve) => {
      hurry = resolve;
      clock.after(BATCH_MS, resolve);
    });
  }

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      await pause();
      const lines = waiting;
      waiting = [];
      if (lastDropped !== undefined) lines.push(format(describeDrop(lastDropped, dropped)));
      lastDropped = undefined;
      dropped = 0;
      try {
        await write(UTF_8.encode(lines.join("")));
      } catch {
        // A log that cannot be written is no reason to end the service.
      }
    }
    // In the same step as the look at what is waiting: a line that comes later starts anew.
    writing = undefined;
  }

  function log(record: LogRecord): void {
    if (waiting.length >= MAX_WAITING_LINES) {
      dropped++;
      lastDropped = record;
      return;
    }
    waiting.push(format(record));
    writing ??= drain();
  }

  return {
    sink: log,
    async flush() {
      isFlushing = true;
      hurry();
      while (writing !== undefined) await writing;
      isFlushing = false;
    },
  };
}

function describeDrop(record: LogRecord, count: number): LogRecord {
  const text = `${count} log lines were dropped: nobody reads them in time`;
  return { ...record, level: "warning", rawMessage: text, message: [text], properties: {} };
}
