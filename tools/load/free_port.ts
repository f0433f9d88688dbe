/**
 * Finds a port on 127.0.0.1. Another process could take it before ours does; then the run fails
 * and says so.
 */
export function findFreePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
