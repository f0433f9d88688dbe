import { forward } from "./forward.ts";

/** A request as a homeserver has passed it on. */
export interface PassedRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Stands where a homeserver finds its application service, so that services of several tests can share
 * one homeserver: what is about a Matrix room goes to the service that the room's test names.
 */
export interface ServiceFront extends AsyncDisposable {
  /** The `proxy_url` for the registration. */
  readonly url: string;
  /**
   * Passes a room's requests to a service from now on; the homeserver gets 502 for those of others.
   *
   * @param serviceUrl Where the service listens; while nobody does, the homeserver gets 502.
   */
  route(roomId: string, serviceUrl: string): void;
  /** The same for all rooms without a route of their own. */
  routeRest(serviceUrl: string): void;
  /** The room's requests so far. */
  seen(roomId: string): readonly PassedRequest[];
}

/** Starts a front on loopback. */
export function startServiceFront(): ServiceFront {
  const routes = new Map<string, string>();
  const kept = new Map<string, PassedRequest[]>();
  let rest: string | undefined;

  async function pass(request: Request): Promise<Response> {
    const bytes = new Uint8Array(await request.arrayBuffer());
    const body = new TextDecoder().decode(bytes);
    const { pathname, search } = new URL(request.url);
    const roomId = roomOf(body);
    kept.set(roomId, [...kept.get(roomId) ?? [], {
      method: request.method,
      target: `${pathname}${search}`,
      headers: Object.fromEntries(request.headers),
      body,
    }]);
    const serviceUrl = routes.get(roomId) ?? rest;
    if (serviceUrl === undefined) return new Response(null, { status: 502 });
    return await forward(request, bytes, serviceUrl)
      .catch(() => new Response(null, { status: 502 }));
  }
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, pass);
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    route: (roomId, serviceUrl) => void routes.set(roomId, serviceUrl),
    routeRest: (serviceUrl) => void (rest = serviceUrl),
    seen: (roomId) => kept.get(roomId) ?? [],
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** The room that a body is about; nothing for anything else. */
function roomOf(body: string): string {
  try {
    return JSON.parse(body)?.room_id ?? "";
  } catch {
    return "";
  }
}
