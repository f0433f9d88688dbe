// @peculiar/x509 needs it at its start and leaves it to its users.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";

/** A certificate and its private key, both PEM, as `Deno.serve` and `node:tls` take them. */
export interface TestCertificate {
  /** The certificate; its CA is not part of it, as with a server behind a one-step chain. */
  cert: string;
  /** The private key, PKCS#8. */
  key: string;
}

/** When a certificate is valid; a test of expiry moves these. */
export interface IssueOptions {
  /** Start of validity; an hour ago unless told. */
  notBefore?: Date;
  /** End of validity; in a day unless told. */
  notAfter?: Date;
}

/** A certificate authority that nobody trusts but the test that made it. */
export interface TestCa {
  /** The CA's own certificate, PEM: what `MATRIXRTC_CA_FILE` or `caCerts` gets. */
  pem: string;
  /** Issues a server certificate for DNS names and IP literals. */
  issue(names: string[], options?: IssueOptions): Promise<TestCertificate>;
}

const HOUR_MS = 3_600_000;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";

/**
 * Makes a certificate authority with a fresh P-256 key.
 *
 * Servers get leaf certificates from it and not a self-signed one: Deno refuses
 * a certificate that is a CA's as a server's.
 *
 * @example A server certificate for a name and an address
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * import { createTestCa } from "./test_ca.ts";
 *
 * const ca = await createTestCa();
 * const { cert, key } = await ca.issue(["matrix.example.org", "127.0.0.1", "::1"]);
 * assertStringIncludes(ca.pem, "BEGIN CERTIFICATE");
 * assertStringIncludes(cert, "BEGIN CERTIFICATE");
 * assertStringIncludes(key, "BEGIN PRIVATE KEY");
 * ```
 *
 * @returns The authority; it lives in memory only.
 */
export async function createTestCa(): Promise<TestCa> {
  const keys = await createKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: createSerial(),
    name: "CN=matrixrtc-auth test CA",
    notBefore: new Date(Date.now() - HOUR_MS),
    notAfter: new Date(Date.now() + 24 * HOUR_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    pem: toPemText(certificate.toString("pem")),
    issue: (names, options = {}) => issue(certificate, keys.privateKey, names, options),
  };
}

async function issue(
  authority: x509.X509Certificate,
  signingKey: CryptoKey,
  names: string[],
  options: IssueOptions,
): Promise<TestCertificate> {
  if (names.length === 0) throw new TypeError("Cannot issue a certificate for no names");
  const keys = await createKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: createSerial(),
    subject: "CN=matrixrtc-auth test server",
    issuer: authority.subject,
    notBefore: options.notBefore ?? new Date(Date.now() - HOUR_MS),
    notAfter: options.notAfter ?? new Date(Date.now() + 24 * HOUR_MS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([SERVER_AUTH]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({
          type: isIpLiteral(value) ? "ip" as const : "dns" as const,
          value,
        })),
      ),
      await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    cert: toPemText(certificate.toString("pem")),
    key: toPemText(x509.PemConverter.encode(pkcs8, "PRIVATE KEY")),
  };
}

function createKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

/** A random positive serial number: rustls refuses one that is zero, negative or too long. */
function createSerial(): string {
  return `01${crypto.getRandomValues(new Uint8Array(15)).toHex()}`;
}

function isIpLiteral(name: string): boolean {
  return name.includes(":") || /^\d{1,3}(\.\d{1,3}){3}$/.test(name);
}

function toPemText(pem: string): string {
  return `${pem.trim()}\n`;
}
