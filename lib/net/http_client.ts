/**
 * What the adapters ask of an HTTP client: one bounded exchange with a server
 * whose address, TLS name and Host header are chosen separately. Another client
 * takes undici's place by implementing {@linkcode HttpClient}.
 */

/** One place to connect to, before DNS. */
export interface Endpoint {
  /** A name, or an IP literal without brackets. */
  readonly host: string;
  readonly port: number;
}

/** A server: where to connect, and as whom to speak to it. */
export interface HttpTarget {
  /** Tells targets apart; targets of one key share connections. */
  readonly key: string;
  readonly protocol: "http" | "https";
  /** Tried in this order; at least one. */
  readonly endpoints: readonly Endpoint[];
  /** Who the certificate must be for: a name, which is sent as SNI, or an IP literal, which is not. */
  readonly tlsName: string;
  /** The `Host` header. */
  readonly hostHeader: string;
  /** Whether the operator named this server, so that it may live on a private address. */
  readonly mayBePrivate: boolean;
  /** How many connections may be open at once, ≥ 1. */
  readonly maxConnections: number;
}

/** One request. It is sent again, once, if a kept-alive connection turns out to be dead. */
export interface HttpRequest {
  readonly method: "GET" | "POST" | "OPTIONS";
  /** Path and query, from `/` on. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For the whole exchange, connecting included. */
  readonly timeoutMs: number;
  /** A body larger than this ends the exchange. */
  readonly maxBodyBytes: number;
}

/** A complete answer. Redirects are not followed, bodies not decompressed. */
export interface HttpResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
}

/** Speaks HTTP/1.1 over pooled connections. */
export interface HttpClient {
  /** @throws {UpstreamError} With the hop at which the exchange ended. */
  request(target: HttpTarget, request: HttpRequest): Promise<HttpResponse>;
  /** Ends all connections, those in use after their exchange. */
  close(): Promise<void>;
}
