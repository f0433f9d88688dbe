import { HttpConnection } from "./http_connection.ts";
import type { TokenRequests } from "./token_requests.ts";

/** What came of a run of requests. */
export interface Drive {
  /** Milliseconds of each request, in the order of their ends. */
  latenciesMs: Float64Array;
  /** From the first request to the last answer. */
  seconds: number;
  /** How many answers were no token, by status. */
  failures: Record<string, number>;
  /** Connections opened. */
  connections: number;
}

/** What to send where. */
interface DriveOptions {
  /** The service's port on 127.0.0.1. */
  port: number;
  /** The requests. */
  requests: TokenRequests;
  /** How many. */
  count: number;
  /** Number of the first one, for rooms that no run before has used. */
  first?: number;
  /** Gives up after this long. */
  timeoutMs: number;
}

/** A closed loop. */
export interface ClosedLoopOptions extends DriveOptions {
  /** Connections, each of which waits for an answer before it sends again. */
  connections: number;
}

/** An open loop. */
export interface OpenLoopOptions extends DriveOptions {
  /** Within which all requests are sent, evenly, whatever becomes of those before. */
  withinMs: number;
}

/**
 * Sends requests over a fixed number of connections as fast as they are answered.
 *
 * @param options What, where, how many.
 * @returns Latencies and failures.
 * @throws {Error} When a connection breaks or the time is over.
 */
export async function runClosedLoop(options: ClosedLoopOptions): Promise<Drive> {
  const { count, first = 0 } = options;
  const run = startRun(options);
  let next = 0;
  await run.end(async (open) => {
    const start = performance.now();
    await Promise.all(Array.from({ length: options.connections }, async () => {
      const connection = await open();
      const buffer = options.requests.createBuffer();
      while (next < count) {
        options.requests.fill(buffer, first + next++);
        await run.exchange(connection, buffer, performance.now());
      }
    }));
    run.drive.seconds = (performance.now() - start) / 1000;
  });
  return run.drive;
}

/**
 * Sends requests at fixed moments, each over a connection that is free or else a new one, as a
 * reverse proxy does. A latency counts from the moment at which its request was due, so that a
 * service which stalls cannot hide it by holding back what comes after.
 *
 * @param options What, where, how many, within what time.
 * @returns Latencies and failures.
 * @throws {Error} When a connection breaks or the time is over.
 */
export async function runOpenLoop(options: OpenLoopOptions): Promise<Drive> {
  const { count, first = 0, withinMs, requests } = options;
  const run = startRun(options);
  await run.end(async (open) => {
    const idle: { connection: HttpConnection; buffer: Uint8Array }[] = [];
    const pending: Promise<void>[] = [];
    const start = performance.now();
    const send = async (index: number, due: number) => {
      const slot = idle.pop() ?? { connection: await open(), buffer: requests.createBuffer() };
      requests.fill(slot.buffer, first + index);
      await run.exchange(slot.connection, slot.buffer, due);
      idle.push(slot);
    };
    for (let index = 0; index < count; index++) {
      const due = start + index * withinMs / count;
      const wait = due - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, Math.ceil(wait)));
      pending.push(send(index, due));
    }
    await Promise.all(pending);
    run.drive.seconds = (performance.now() - start) / 1000;
  });
  return run.drive;
}

/** What both loops share: the tally, the connections, the deadline. */
function startRun({ port, count, timeoutMs }: DriveOptions) {
  const drive: Drive = {
    latenciesMs: new Float64Array(count),
    seconds: 0,
    failures: {},
    connections: 0,
  };
  const opened: HttpConnection[] = [];
  let done = 0;
  return {
    drive,
    async exchange(connection: HttpConnection, request: Uint8Array, since: number) {
      const { status, text } = await connection.exchange(request);
      drive.latenciesMs[done++] = performance.now() - since;
      if (status === 200 && text.includes(`"jwt":"`)) return;
      drive.failures[status] = (drive.failures[status] ?? 0) + 1;
    },
    async end(loop: (open: () => Promise<HttpConnection>) => Promise<void>) {
      const timer = setTimeout(() => opened.forEach((one) => one[Symbol.dispose]()), timeoutMs);
      try {
        await loop(async () => {
          const connection = await HttpConnection.open(port);
          opened.push(connection);
          return connection;
        });
      } catch (cause) {
        throw new Error(`Load run failed after ${done} of ${count} requests`, { cause });
      } finally {
        clearTimeout(timer);
        drive.connections = opened.length;
        opened.forEach((one) => one[Symbol.dispose]());
      }
    },
  };
}

/**
 * Picks a percentile from latencies, by the nearest rank.
 *
 * @example Ranks
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { percentile } from "./drive.ts";
 *
 * const latencies = new Float64Array([4, 1, 3, 2]);
 * assertEquals([percentile(latencies, 50), percentile(latencies, 99)], [2, 4]);
 * ```
 *
 * @param latencies In any order.
 * @param percent 0–100.
 * @returns The smallest value that this share of all does not exceed.
 */
export function percentile(latencies: Float64Array, percent: number): number {
  const sorted = latencies.toSorted();
  const rank = Math.max(1, Math.ceil(sorted.length * percent / 100));
  return sorted[rank - 1] ?? NaN;
}
