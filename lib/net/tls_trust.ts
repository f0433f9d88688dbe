/** Which certificate authorities are trusted: the system's, and the operator's own. */

import { X509Certificate } from "node:crypto";
import tls from "node:tls";

/** Where systems keep the certificate authorities they trust, as OpenSSL and Go look for them. */
export const SYSTEM_BUNDLES: readonly string[] = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** What a TLS connection needs to know of trust. */
export interface TlsTrust {
  /** PEM certificates to hand to each connection; empty where the runtime's defaults hold them. */
  readonly ca: readonly string[];
}

interface ReplaceableTrust {
  getCACertificates?: unknown;
  setDefaultCACertificates?: (pems: readonly string[]) => void;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Makes the certificates of some bundles trusted, once, for the whole process.
 *
 * Handing a whole system bundle to every connection would cost 10 ms of CPU
 * each. So runtimes that can replace their default list get it replaced. Those
 * that cannot (Deno before 2.8) add what a connection brings to their built-in
 * list: only what that lacks is returned, usually a certificate or two.
 *
 * @param bundles PEM texts; empty where the system has none, and then the
 * runtime's built-in list stays.
 * @param additional PEM texts trusted beside either.
 */
export function installTlsTrust(
  bundles: readonly string[],
  additional: readonly string[],
): TlsTrust {
  const system = certificatesOf(bundles);
  const own = certificatesOf(additional);
  const runtime: ReplaceableTrust = tls;
  // Deno 2.7 has the setter, but without effect; the getter came together with the effect.
  if (runtime.getCACertificates !== undefined && runtime.setDefaultCACertificates !== undefined) {
    const wanted = [...(system.length > 0 ? system : tls.rootCertificates), ...own];
    try {
      runtime.setDefaultCACertificates(wanted);
    } catch {
      // One that cannot be read makes it refuse them all; to read each first costs every start 10 ms.
      runtime.setDefaultCACertificates(wanted.filter(isReadable));
    }
    return { ca: [] };
  }
  const known = new Set(tls.rootCertificates.map(textOf));
  return { ca: [...system, ...own].filter((pem) => !known.has(textOf(pem)) && isReadable(pem)) };
}

function isReadable(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}

function certificatesOf(texts: readonly string[]): string[] {
  return texts.flatMap((text) => text.match(CERTIFICATE) ?? []);
}

function textOf(pem: string): string {
  return pem.replace(/-----[^-]+-----|\s/g, "");
}
