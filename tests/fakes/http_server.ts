import { Counter } from "./counter.ts";
import type { TestCertificate } from "../support/test_ca.ts";
import { parseServerName, readClientHello } from "./client_hello.ts";
import { startRawServer, writeAll } from "./raw_server.ts";

/** A request as it arrived. */
export interface SeenRequest {
  /** Method, `GET`. */
  method: string;
  /** Path with the query, as sent. */
  path: string;
  /** The Host header, or what HTTP/2 has in its place. */
  host: string;
  /** All headers. */
  headers: Headers;
  /** The TLS server name (SNI); `null` when there was none, which is right for IP addresses. */
  serverName: string | null;
  /** Which of the server's connections it came on, counted from 1. */
  connection: number;
}

/** How a fake HTTP server listens. */
export interface HttpServerOptions {
  /**
   * Answers a request; the record of it is in `requests` already. The signal tells that the
   * server is being closed: nobody is going to read the answer.
   */
  handler(
    request: Request,
    seen: SeenRequest,
    closing: AbortSignal,
  ): Response | Promise<Response>;
  /** Certificate for HTTPS; plain HTTP without. */
  tls?: TestCertificate;
  /** Address to listen on; 127.0.0.1 unless told. */
  hostname?: string;
}

/** A listening fake. `await using server = …` closes it with the block. */
export interface HttpServer extends AsyncDisposable {
  /** Where it answers, without a slash at the end: `https://127.0.0.1:4711`. */
  readonly url: string;
  /** The port that the system picked. */
  readonly port: number;
  /** Every request so far, oldest first. Tests may empty it. */
  readonly requests: SeenRequest[];
  /** Connections accepted so far: with TLS, handshakes, refused ones among them. */
  readonly connections: number;
  /**
   * `true` ends every connection and, from then on, each new one as soon as it comes, as if the
   * process behind a proxy were gone; `false` serves again.
   */
  isDown: boolean;
  /** Resolves once this many requests have arrived in all, answered or not. */
  received(count: number): Promise<void>;
  /** Closes every connection, also of requests in work. */
  close(): Promise<void>;
}

/**
 * Serves HTTP/1.1 by a function and keeps a record of requests and connections.
 *
 * Connections first pass a listener that reads the TLS greeting: `Deno.serve`
 * tells neither the server name nor how many connections there were.
 *
 * @example What a client sent
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { startHttpServer } from "./http_server.ts";
 *
 * await using server = startHttpServer({ handler: () => new Response("hello") });
 * await (await fetch(`${server.url}/path?query`)).text();
 * assertEquals(server.requests[0]!.path, "/path?query");
 * assertEquals(server.connections, 1);
 * ```
 *
 * @param options The handler, certificate and address.
 * @returns The server, listening already.
 */
export function startHttpServer(options: HttpServerOptions): HttpServer {
  const { tls, hostname = "127.0.0.1", handler } = options;
  const requests: SeenRequest[] = [];
  const origins = new Map<number, { serverName: string | null; connection: number }>();
  const received = new Counter();
  const abort = new AbortController();
  const clients = new Set<Deno.Conn>();
  let isDown = false;

  const inner = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    signal: abort.signal,
    onListen() {},
    ...tls,
  }, (request, info) => {
    const url = new URL(request.url);
    const seen: SeenRequest = {
      method: request.method,
      path: url.pathname + url.search,
      host: request.headers.get("host") ?? url.host,
      headers: request.headers,
      serverName: null,
      connection: 0,
      ...origins.get(info.remoteAddr.port),
    };
    requests.push(seen);
    received.increment();
    return handler(request, seen, abort.signal);
  });
  const front = startRawServer({
    hostname,
    async handle(client, connection) {
      if (isDown) return;
      clients.add(client);
      const greeting = tls === undefined ? new Uint8Array(0) : await readClientHello(client);
      const server = await Deno.connect({ hostname: "127.0.0.1", port: inner.addr.port });
      // A handshake is a talk of small pieces: held back for fuller packets it takes 40 ms more.
      for (const end of [client, server]) {
        if ("setNoDelay" in end) (end as Deno.TcpConn).setNoDelay();
      }
      try {
        const { port } = server.localAddr as Deno.NetAddr;
        origins.set(port, { serverName: parseServerName(greeting), connection });
        await writeAll(server, greeting);
        await Promise.all([copy(client, server), copy(server, client)]);
      } finally {
        clients.delete(client);
        closeQuietly(server);
      }
    },
  });

  const close = async () => {
    abort.abort();
    await front.close();
    await inner.finished;
  };
  return {
    url: `${tls === undefined ? "http" : "https"}://${front.host}`,
    port: front.port,
    requests,
    get connections() {
      return front.connections;
    },
    get isDown() {
      return isDown;
    },
    set isDown(value) {
      isDown = value;
      if (isDown) clients.forEach(closeQuietly);
    },
    received: (count) => received.reached(count),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Passes bytes on until either side is through, then ends both: HTTP knows no half-open use. */
async function copy(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(65_536);
  try {
    while (true) {
      const length = await from.read(buffer);
      if (length === null) break;
      await writeAll(to, buffer.subarray(0, length));
    }
  } catch {
    // One side was reset; the other learns it below.
  } finally {
    closeQuietly(from);
    closeQuietly(to);
  }
}

function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}

/**
 * Waits, but not beyond the end of the server: a test must not wait for a slow answer that
 * nobody is going to read.
 *
 * @param ms How long.
 * @param signal Ends the wait early.
 */
export function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener("abort", finish);
  });
}
