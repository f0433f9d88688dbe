import { forward } from "./forward.ts";

/** A load balancer before several replicas of the service. */
export interface RoundRobin extends AsyncDisposable {
  /** Where clients and the SFU go. */
  readonly url: string;
}

/** Longer than any answer takes; a replica that was stopped does not answer at all. */
const REPLICA_TIMEOUT_MS = 3_000;

/**
 * Starts a load balancer that gives each request to the next replica, and to the one after where
 * nobody listens. One that accepts and stays silent costs the request, as it does with others.
 *
 * @param replicas Where the replicas listen.
 */
export function startRoundRobin(replicas: readonly string[]): RoundRobin {
  let turn = 0;
  async function pass(request: Request): Promise<Response> {
    const body = new Uint8Array(await request.arrayBuffer());
    const first = turn++;
    for (let i = 0; i < replicas.length; i++) {
      const replica = replicas[(first + i) % replicas.length]!;
      const signal = AbortSignal.timeout(REPLICA_TIMEOUT_MS);
      try {
        return await forward(request, body, replica, { signal });
      } catch {
        if (signal.aborted) break;
      }
    }
    return new Response(null, { status: 502 });
  }
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, pass);
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
