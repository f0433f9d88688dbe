/** What a server shows at one of its addresses: an open port, and a certificate. */

import { X509Certificate } from "node:crypto";
import type net from "node:net";
import { isIP } from "node:net";
import tls from "node:tls";
import type { Clock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { UpstreamError } from "../matrix/errors.ts";
import { dial } from "../net/dial.ts";
import { lateHandshake } from "../net/late_handshake.ts";
import { secure } from "../net/secure.ts";
import type { TlsTrust } from "../net/tls_trust.ts";

/** Where to look, and as whom. */
export interface Place {
  /** Who the certificate should be for: a name, or an IP literal without brackets. */
  readonly tlsName: string;
  /** An IP literal without brackets. */
  readonly address: string;
  readonly port: number;
  /** Whether TLS is spoken there at all. */
  readonly isTls: boolean;
}

/** A certificate, as far as it is of interest. */
export interface CertificateFacts {
  readonly subject: string;
  readonly issuer: string;
  /** As in `DNS:example.org, IP Address:127.0.0.1`; empty for none. */
  readonly altNames: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
  /** Whether it is for the name that was asked for. */
  readonly isForName: boolean;
}

/** What was seen. */
export interface Handshake {
  /** Why there was no connection; absent where there was one. */
  readonly tcpError?: string;
  /** Why the certificate is not accepted, or no TLS came about; absent where all is well. */
  readonly tlsError?: string;
  /** Absent without TLS. */
  readonly certificate?: CertificateFacts;
}

/** Looks at a place. What is wrong there is a result, not an error. */
export type ShakeHands = (place: Place) => Promise<Handshake>;

const HANDSHAKE_TIMEOUT_MS = 5_000;

/**
 * Makes the function that looks.
 *
 * It always verifies, also where `LIVEKIT_INSECURE_SKIP_VERIFY_TLS` tells the service not to:
 * clients do.
 */
export function createShakeHands(trust: TlsTrust, clock: Clock): ShakeHands {
  const connect = ({ address, port }: Place) =>
    dial({ host: address, port }, {
      clock,
      policy: undefined,
      lookup: (host) => Promise.resolve([host]),
    });

  return async (place) => {
    let socket: net.Socket;
    try {
      socket = await connect(place);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      return { tcpError: error.message };
    }
    if (!place.isTls) {
      socket.destroy();
      return {};
    }
    const shown = await readCertificate(socket, place.tlsName, clock);
    // Looking without verifying and verifying without looking: the runtime gives no certificate
    // to whom it has told that it does not accept it.
    try {
      const options = { trust, insecureSkipVerifyTls: false, clock };
      (await secure(await connect(place), place.tlsName, options)).destroy();
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      const tlsError = error.message;
      return { tlsError, ...shown && { certificate: shown } };
    }
    return shown === undefined ? {} : { certificate: shown };
  };
}

/** The certificate that is shown, whatever it is worth; nothing where no TLS comes about. */
async function readCertificate(
  socket: net.Socket,
  tlsName: string,
  clock: Clock,
): Promise<CertificateFacts | undefined> {
  const secured = tls.connect({
    socket,
    ...(isIP(tlsName) === 0 ? { servername: tlsName } : { host: tlsName }),
    rejectUnauthorized: false,
    ALPNProtocols: ["http/1.1"],
  });
  socket.on("error", () => {});
  try {
    const done = new Promise<void>((resolve, reject) => {
      secured.on("error", reject);
      secured.once("close", () => reject(new Error("closed")));
      secured.once("secureConnect", () => {
        const late = lateHandshake(secured);
        if (late === undefined) resolve();
        else late.then(() => resolve(), reject);
      });
    });
    await withDeadline(done, HANDSHAKE_TIMEOUT_MS, clock, () => new Error("late"));
    const { raw } = secured.getPeerCertificate();
    return raw === undefined ? undefined : describe(new X509Certificate(raw), tlsName);
  } catch {
    // What is wrong is told by the handshake that verifies.
    return undefined;
  } finally {
    secured.destroy();
    socket.destroy();
  }
}

function describe(certificate: X509Certificate, name: string): CertificateFacts {
  const found = isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name);
  return {
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    altNames: oneLine(certificate.subjectAltName ?? ""),
    notBefore: Date.parse(certificate.validFrom),
    notAfter: Date.parse(certificate.validTo),
    isForName: found !== undefined,
  };
}

function oneLine(text: string): string {
  return text.replaceAll("\n", ", ");
}
