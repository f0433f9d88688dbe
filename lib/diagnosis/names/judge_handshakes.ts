import { isIP } from "node:net";
import type { Finding } from "../check.ts";
import { fail, pass, skip, warn } from "../finding.ts";
import type { CertificateFacts, Handshake } from "../handshake.ts";

/** What was seen at one address. */
export interface AddressHandshake {
  readonly address: string;
  readonly handshake: Handshake;
}

/** What B2 judges. */
export interface HandshakeFacts {
  readonly host: string;
  readonly port: number;
  readonly handshakes: readonly AddressHandshake[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Whether the service is told not to verify. */
  readonly insecureSkipVerifyTls: boolean;
}

const DAY_MS = 86_400_000;
const SOON_DAYS = 14;

/** B2: is every address open, with a certificate that is trusted, for the name, and valid for long. */
export function judgeHandshakes(facts: HandshakeFacts): Finding {
  const { host, port, handshakes } = facts;
  if (handshakes.length === 0) return skip("no address (B1)");
  const known = handshakes.filter(({ handshake }) => !isNoRoute(handshake));
  if (known.length === 0) {
    return fail(
      describeAll(handshakes),
      "This machine has no route to any of these addresses: give it one, or IPv4 if these are IPv6.",
    );
  }
  const closed = known.filter(({ handshake }) => handshake.tcpError !== undefined);
  if (closed.length === known.length) {
    return fail(
      describeAll(closed),
      `Nothing accepts connections at ${host}:${port}: look at the firewall and the proxy's port; ` +
        "a container may not reach its own public address (B3).",
    );
  }
  const bad = known.find(({ handshake }) => handshake.tlsError !== undefined);
  if (bad !== undefined) return judgeCertificate(bad, facts);
  if (closed.length > 0) return judgeClosed(closed, host);
  const certificates = known.map(({ handshake }) => handshake.certificate)
    .filter((certificate) => certificate !== undefined);
  if (certificates.length === 0) return pass(`open at ${listOf(known)}`);
  const notAfter = Math.min(...certificates.map((certificate) => certificate.notAfter));
  const days = Math.floor((notAfter - facts.now) / DAY_MS);
  const seen = `open at ${listOf(known)}, certificate until ${dateOf(notAfter)}`;
  return days < SOON_DAYS
    ? warn(
      `${seen}, in ${days} days`,
      `Renew the certificate for ${host}: automatic renewal seems to fail.`,
    )
    : pass(seen);
}

/** One family may be closed while the other works: some clients then wait, or fail. */
function judgeClosed(closed: readonly AddressHandshake[], host: string): Finding {
  const isIpv6 = closed.every(({ address }) => isIP(address) === 6);
  return fail(
    describeAll(closed),
    isIpv6
      ? `IPv6 is published for ${host} but closed: let the proxy listen on it and open the ` +
        "firewall, or remove the AAAA record."
      : `Not every address of ${host} is open: fix it, or remove it from DNS.`,
  );
}

function judgeCertificate(
  { address, handshake }: AddressHandshake,
  { host, now, insecureSkipVerifyTls }: HandshakeFacts,
): Finding {
  const { certificate, tlsError = "" } = handshake;
  const judge = insecureSkipVerifyTls ? warn : fail;
  if (certificate === undefined) {
    return fail(
      `${address}: ${tlsError}`,
      `No TLS is spoken there: let the proxy serve https for ${host} at this port, or correct ` +
        "scheme and port of the URL.",
    );
  }
  const { notAfter, notBefore, issuer, isForName, altNames } = certificate;
  if (notAfter < now) {
    return judge(
      `${address}: the certificate has expired on ${dateOf(notAfter)}`,
      `Renew the certificate for ${host}, and let the proxy load it.`,
    );
  }
  if (notBefore > now) {
    return judge(
      `${address}: the certificate is valid from ${dateOf(notBefore)} only`,
      "Set the clocks: this machine's or the issuer's is wrong.",
    );
  }
  if (!isForName) {
    return judge(
      `${address}: the certificate is for ${altNames || certificate.subject}, not for ${host}`,
      `Give the proxy a certificate for ${host}: another virtual host answers there by default.`,
    );
  }
  return judge(
    `${address}: the certificate of ${issuer} is not trusted here (${tlsError})`,
    `Serve the full chain for ${host}; if a private authority has issued it, name its ` +
      "certificate in MATRIXRTC_CA_FILE.",
  );
}

/** What this machine cannot reach says nothing about the server: IPv6 is missing in many networks. */
function isNoRoute({ tcpError }: Handshake): boolean {
  return tcpError !== undefined && /ENETUNREACH|EADDRNOTAVAIL|EAFNOSUPPORT/.test(tcpError);
}

function describeAll(handshakes: readonly AddressHandshake[]): string {
  return handshakes.map(({ address, handshake }) => handshake.tcpError ?? `${address} open`)
    .join("; ");
}

function listOf(handshakes: readonly AddressHandshake[]): string {
  return handshakes.map(({ address }) => address).join(", ");
}

function dateOf(ms: CertificateFacts["notAfter"]): string {
  return new Date(ms).toISOString().slice(0, 10);
}
