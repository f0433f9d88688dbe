/** Takes requests from a TCP port or a unix socket. */

import type { ListenAddress } from "../config/config.ts";
import { formatAddress } from "../net/dial.ts";
import type { Peer } from "./client_address.ts";

/** A server that takes requests. */
export interface Listener {
  /** For people and tools: `http://127.0.0.1:8080` or `unix:/run/x.sock`. */
  readonly address: string;
  /** Refuses new connections and resolves when all requests in work are answered. */
  shutdown(): Promise<void>;
}

/** Answers requests; never rejects. */
type Handle = (request: Request, peer: Peer) => Response | Promise<Response>;

/** Group members, such as the reverse proxy, may connect; others may not. */
const SOCKET_UMASK = 0o117;

/**
 * Starts to take requests.
 *
 * Without a host name that is all addresses: `[::]`, which takes IPv4 as well,
 * or `0.0.0.0` where the system has no IPv6. A socket that a process that is gone
 * has left behind is replaced; one in use is not.
 *
 * @throws {Error} `Deno.errors.AddrInUse`, `PermissionDenied` and others.
 */
export async function listen(address: ListenAddress, handle: Handle): Promise<Listener> {
  if (address.kind === "unix") return await listenOnSocket(address.path, handle);
  const { hostname, port } = address;
  if (hostname !== undefined) return listenOnPort(hostname, port, handle);
  try {
    return listenOnPort("::", port, handle);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw error;
    return listenOnPort("0.0.0.0", port, handle);
  }
}

/**
 * Writes an address the way it is configured.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { formatListenAddress } from "./listen.ts";
 *
 * assertEquals(formatListenAddress({ kind: "tcp", port: 8080 }), ":8080");
 * assertEquals(formatListenAddress({ kind: "tcp", hostname: "::1", port: 80 }), "[::1]:80");
 * ```
 */
export function formatListenAddress(address: ListenAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  const { hostname, port } = address;
  return hostname === undefined ? `:${port}` : formatAddress(hostname, port);
}

function listenOnPort(hostname: string, port: number, handle: Handle): Listener {
  const server = Deno.serve({ hostname, port, onListen() {}, onError: answerBug }, handle);
  const { addr } = server;
  return {
    address: `http://${formatAddress(addr.hostname, addr.port)}`,
    shutdown: () => server.shutdown(),
  };
}

async function listenOnSocket(path: string, handle: Handle): Promise<Listener> {
  await removeStaleSocket(path);
  const umask = Deno.umask(SOCKET_UMASK);
  try {
    const server = Deno.serve({ path, onListen() {}, onError: answerBug }, handle);
    return { address: `unix:${path}`, shutdown: () => server.shutdown() };
  } finally {
    Deno.umask(umask);
  }
}

async function removeStaleSocket(path: string): Promise<void> {
  const info = await Deno.lstat(path).catch(() => undefined);
  if (info?.isSocket !== true) return;
  try {
    const connection = await Deno.connect({ transport: "unix", path });
    connection.close();
  } catch (error) {
    // Only this says that nobody listens: a busy or forbidden socket belongs to somebody.
    if (error instanceof Deno.errors.ConnectionRefused) return await Deno.remove(path);
  }
  throw new Deno.errors.AddrInUse("another process listens on this socket");
}

// The handler answers every error itself; what arrives here is a fault of the handler.
function answerBug(): Response {
  return new Response(null, { status: 500 });
}
