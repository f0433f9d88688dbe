import { HttpConnection } from "./http_connection.ts";

/** How to work through a list over several connections. */
export interface WorkersOptions {
  /** The service's port on 127.0.0.1. */
  port: number;
  /** Connections, each with one request at a time. */
  connections: number;
  /** Length of the list. */
  count: number;
  /** Gives up after this long. */
  timeoutMs: number;
}

/** Sends a request over a worker's own connection, opened anew after it broke. */
export type Exchange = (request: Uint8Array) => Promise<{ status: number; text: string }>;

/**
 * Works through a list, each piece as soon as a worker is free.
 *
 * @param options How long, how wide, where to.
 * @param work Does the piece of this number.
 * @throws {Error} What `work` has thrown first, or when the time is over.
 */
export async function runWorkers(
  options: WorkersOptions,
  work: (index: number, exchange: Exchange) => Promise<void>,
): Promise<void> {
  const { port, count, timeoutMs } = options;
  const open = new Set<HttpConnection>();
  let next = 0;
  let done = 0;
  let ended = false;
  const end = () => {
    ended = true;
    for (const connection of open) connection[Symbol.dispose]();
  };

  const runWorker = async () => {
    let connection: HttpConnection | undefined;
    const exchange: Exchange = async (request) => {
      if (ended) throw new Error("The time is over");
      if (connection === undefined) {
        connection = await HttpConnection.open(port);
        open.add(connection);
      }
      try {
        return await connection.exchange(request);
      } catch (error) {
        connection[Symbol.dispose]();
        open.delete(connection);
        connection = undefined;
        throw error;
      }
    };
    while (next < count && !ended) {
      await work(next++, exchange);
      done++;
    }
  };

  const timer = setTimeout(end, timeoutMs);
  try {
    await Promise.all(Array.from({ length: Math.min(options.connections, count) }, runWorker));
    if (done < count) throw new Error("The time is over");
  } catch (cause) {
    throw new Error(`Gave up after ${done} of ${count} within ${timeoutMs} ms`, { cause });
  } finally {
    clearTimeout(timer);
    end();
  }
}
