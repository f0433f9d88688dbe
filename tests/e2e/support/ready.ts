import type { RunningProcess } from "./process.ts";

/** How often a starting server is asked; its log has no line to wait for that means "serving". */
const POLL_MS = 100;

/** Settings of {@linkcode waitUntilReady}. */
export interface ReadyOptions {
  /** Answers whether the server serves; an error counts as "not yet". */
  probe: (signal: AbortSignal) => Promise<boolean>;
  /** The longest wait in all. */
  timeoutMs: number;
}

/**
 * Waits until a server that was just started answers its health endpoint.
 *
 * @throws {Error} With the server's output when it ends early or takes too long.
 */
export async function waitUntilReady(
  server: RunningProcess,
  { probe, timeoutMs }: ReadyOptions,
): Promise<void> {
  const deadline = AbortSignal.timeout(timeoutMs);
  let ended = false;
  const noteEnd = server.ended.then(() => ended = true);
  while (!deadline.aborted && !ended) {
    if (await probe(deadline).catch(() => false)) return;
    await Promise.race([noteEnd, new Promise((resolve) => setTimeout(resolve, POLL_MS))]);
  }
  await server.stop();
  throw new Error(
    `${server.name} ${ended ? "ended before it served" : `failed to serve in ${timeoutMs} ms`}:\n` +
      server.lines.slice(-40).join("\n"),
  );
}
