/**
 * Finds TCP ports of 127.0.0.1 that nobody uses.
 *
 * Only for servers that cannot be told to take port 0 and say which one they got. All are held at once,
 * so that they differ.
 *
 * @param count How many ports.
 */
export function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const ports = listeners.map((listener) => listener.addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}
