import { Counter } from "./counter.ts";
import type { TestCertificate } from "../support/test_ca.ts";

/** What a raw server does with each connection. */
export interface RawServerOptions {
  /**
   * Called once per accepted connection; the connection is closed when it
   * returns or throws. Never returning is allowed: that is how silence is made.
   */
  handle(connection: Deno.Conn, number: number): Promise<void> | void;
  /** Certificate for TLS; plain TCP without. */
  tls?: TestCertificate;
  /** Address to listen on; 127.0.0.1 unless told. */
  hostname?: string;
}

/** A listening raw server. `await using server = …` closes it with the block. */
export interface RawServer extends AsyncDisposable {
  /** The port that the system picked. */
  readonly port: number;
  /** Address and port as they stand in a URL, `127.0.0.1:4711` or `[::1]:4711`. */
  readonly host: string;
  /** Connections accepted so far; with TLS, handshakes begun. */
  readonly connections: number;
  /** Connections that are open now. */
  readonly openConnections: number;
  /** Resolves once this many connections have been accepted. */
  accepted(count: number): Promise<void>;
  /** Closes the listener and every connection. */
  close(): Promise<void>;
}

/**
 * Serves TCP or TLS by a function per connection: for all that an HTTP server
 * would be too well-behaved to do, such as half an answer, silence or garbage.
 *
 * @example A server that answers half a header and hangs up
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { startRawServer } from "./raw_server.ts";
 *
 * await using server = startRawServer({
 *   async handle(connection) {
 *     await connection.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\nContent-Le"));
 *   },
 * });
 * await assertRejects(() => fetch(`http://${server.host}/`), TypeError);
 * assertEquals(server.connections > 0, true);
 * ```
 *
 * @param options What to do with a connection, certificate and address.
 * @returns The server, listening already.
 */
export function startRawServer(options: RawServerOptions): RawServer {
  const { hostname = "127.0.0.1", tls, handle } = options;
  const listener: Deno.Listener<Deno.Conn> = tls === undefined
    ? Deno.listen({ hostname, port: 0 })
    : Deno.listenTls({ hostname, port: 0, cert: tls.cert, key: tls.key });
  const port = (listener.addr as Deno.NetAddr).port;
  const open = new Set<Deno.Conn>();
  const connections = new Counter();
  let closed = false;

  const serve = async (connection: Deno.Conn, number: number) => {
    open.add(connection);
    try {
      await handle(connection, number);
    } catch {
      // The peer went away, or close() took the connection: both are what tests do.
    } finally {
      open.delete(connection);
      closeQuietly(connection);
    }
  };
  const accept = async () => {
    while (!closed) {
      let connection: Deno.Conn;
      try {
        connection = await listener.accept();
      } catch {
        continue; // one that was gone before it was accepted; or closed, which ends the loop
      }
      connections.increment();
      serve(connection, connections.count);
    }
  };
  const accepting = accept();

  const close = async () => {
    if (closed) return;
    closed = true;
    closeQuietly(listener);
    open.forEach(closeQuietly);
    await accepting;
  };
  return {
    port,
    host: `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`,
    get connections() {
      return connections.count;
    },
    get openConnections() {
      return open.size;
    },
    accepted: (count) => connections.reached(count),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * Reads the head of an HTTP/1.1 request.
 *
 * @param connection Where it comes from. Bytes of a body that arrive with the head are dropped.
 * @returns Request line and headers with the empty line after them, or what came before the end.
 * @throws {RangeError} When there is no end within 64 KiB.
 */
export async function readRequestHead(connection: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(8192);
  const decoder = new TextDecoder();
  let text = "";
  while (true) {
    const length = await connection.read(buffer);
    if (length === null) return text;
    text += decoder.decode(buffer.subarray(0, length), { stream: true });
    const end = text.indexOf("\r\n\r\n");
    if (end !== -1) return text.slice(0, end + 4);
    if (text.length > 65_536) throw new RangeError("Request head has no end within 64 KiB");
  }
}

/**
 * Writes all of a text, which `Deno.Conn.write` alone does not promise.
 *
 * @param connection Where it goes.
 * @param data Text or bytes.
 */
export async function writeAll(connection: Deno.Conn, data: string | Uint8Array): Promise<void> {
  let rest = typeof data === "string" ? new TextEncoder().encode(data) : data;
  while (rest.length > 0) rest = rest.subarray(await connection.write(rest));
}

function closeQuietly(resource: { close(): void }): void {
  try {
    resource.close();
  } catch {
    // Closed already.
  }
}
