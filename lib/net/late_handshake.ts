import type tls from "node:tls";

/** What Deno's own TLS connection has, and a socket of Node's has inside it on old versions. */
interface Handshaking {
  handshake(): Promise<unknown>;
}

/**
 * Waits for the end of a handshake where `secureConnect` does not tell it.
 *
 * Deno before 2.8 emits that event for handshakes that failed, too: the first
 * write then fails with `EUNKNOWN`, and nobody learns that a certificate has
 * expired. The connection inside the socket knows.
 *
 * @returns Nothing to wait for (`undefined`) where the event can be believed.
 * @throws {Error} Why the handshake failed, as rustls words it.
 */
export function lateHandshake(socket: tls.TLSSocket): Promise<unknown> | undefined {
  const { _handle: handle } = socket as unknown as { _handle?: Record<symbol, unknown> | null };
  if (!handle) return undefined;
  for (const key of Object.getOwnPropertySymbols(handle)) {
    const value = handle[key];
    if (canHandshake(value)) return value.handshake();
  }
  return undefined;
}

function canHandshake(value: unknown): value is Handshaking {
  return typeof (value as Partial<Handshaking> | undefined)?.handshake === "function";
}
