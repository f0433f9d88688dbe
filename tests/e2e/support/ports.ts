/** Below where systems take ports from by themselves, so nobody is given one between now and its use. */
const LOWEST = 20_000;
const HIGHEST = 32_000;
const MAX_TRIES = 1_000;

/**
 * Finds TCP ports of 127.0.0.1 that nobody uses.
 *
 * Only for servers that cannot be told to take port 0 and say which one they got. All are held at once,
 * so that they differ.
 *
 * @param count How many ports.
 */
export function freePorts(count: number): number[] {
  const listeners: Deno.Listener[] = [];
  const ports: number[] = [];
  for (let tries = 0; ports.length < count && tries < MAX_TRIES; tries++) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    try {
      listeners.push(Deno.listen({ hostname: "127.0.0.1", port }));
      ports.push(port);
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  for (const listener of listeners) listener.close();
  if (ports.length < count) throw new Error(`no ${count} free ports from ${LOWEST} to ${HIGHEST}`);
  return ports;
}
