import net from "node:net";
import tls from "node:tls";
import type { Clock } from "../clock.ts";
import { UpstreamError } from "../matrix/errors.ts";
import { outsideText } from "../outside_text.ts";
import { lateHandshake } from "./late_handshake.ts";
import type { TlsTrust } from "./tls_trust.ts";

/** What a handshake needs. */
export interface SecureOptions {
  readonly trust: TlsTrust;
  /** `LIVEKIT_INSECURE_SKIP_VERIFY_TLS`: any certificate of anybody is accepted. */
  readonly insecureSkipVerifyTls: boolean;
  readonly clock: Clock;
}

const HANDSHAKE_TIMEOUT_MS = 5_000;

/**
 * Puts TLS on a connected socket and checks that the certificate is for a name.
 *
 * @param tlsName A DNS name, sent as SNI, or an IP literal, which never is (RFC 6066 §3).
 * @throws {UpstreamError} `tls`; the socket is closed then.
 */
export function secure(
  socket: net.Socket,
  tlsName: string,
  options: SecureOptions,
): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const { ca } = options.trust;
    const secured = tls.connect({
      socket,
      ...(net.isIP(tlsName) === 0 ? { servername: tlsName } : { host: tlsName }),
      ...(ca.length > 0 ? { ca: [...ca] } : {}),
      rejectUnauthorized: !options.insecureSkipVerifyTls,
      ALPNProtocols: ["http/1.1"],
    });
    // Only our own listeners come off in the end: the runtime has some of its own there.
    // A certificate holds whatever its owner wants.
    const onError = (error: Error) => fail(outsideText(reasonOf(error)), error);
    const onClose = () => fail("the connection was closed during the handshake");
    // This one stays: an error that comes after the first has nobody else to hear it.
    socket.on("error", () => {});
    const fail = (reason: string, cause?: Error) => {
      cancelTimeout();
      secured.destroy();
      socket.destroy();
      reject(new UpstreamError("tls", `no TLS with ${tlsName}: ${reason}`, { cause }));
    };
    const cancelTimeout = options.clock.after(
      HANDSHAKE_TIMEOUT_MS,
      () => fail(`no handshake in ${HANDSHAKE_TIMEOUT_MS / 1000} s`),
    );
    const succeed = () => {
      cancelTimeout();
      secured.off("error", onError);
      secured.off("close", onClose);
      resolve(secured);
    };
    secured.on("error", onError);
    secured.once("close", onClose);
    secured.once("secureConnect", () => {
      const late = lateHandshake(secured);
      if (late === undefined) succeed();
      else late.then(succeed, onError);
    });
  });
}

function reasonOf(error: Error & { code?: unknown }): string {
  // Deno has this one code for all that is wrong with a chain, and no certificate to look at.
  return error.code === "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
    ? `the certificate is of no known authority, or not valid now (${error.message})`
    : error.message;
}
