import { X509Certificate } from "node:crypto";
import type { CertificateFile } from "../config.ts";
import { InvalidValueError, type ParseContext } from "./invalid_value.ts";
import { printable } from "./quote_value.ts";

/** A system's whole bundle has a quarter of a megabyte. */
const MAX_BUNDLE_BYTES = 8 * 1024 * 1024;

/** More certificates than this in one file come from a system's package. */
const MOST_BY_HAND = 16;

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/**
 * Reads a bundle of PEM certificates and checks each of them, so that a cut file is noticed at
 * the start and not by a failing call.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { parseCertificateFile } from "./parse_certificate_file.ts";
 *
 * const context = { warn: () => {}, readFile: () => "-----BEGIN PRIVATE KEY-----" };
 * assertThrows(() => parseCertificateFile("/ca.pem", context), Error, "no certificate");
 * ```
 */
export function parseCertificateFile(path: string, context: ParseContext): CertificateFile {
  const { pem, certificates } = readCertificates(path, context);
  checkEach(certificates);
  return { path, pem };
}

function checkEach(certificates: readonly string[]): void {
  for (const [index, certificate] of certificates.entries()) {
    try {
      new X509Certificate(certificate);
    } catch {
      throw new InvalidValueError(`certificate ${index + 1} in the file cannot be read`);
    }
  }
}

function readCertificates(path: string, context: ParseContext) {
  const pem = context.readFile(path, MAX_BUNDLE_BYTES);
  const certificates = pem.match(CERTIFICATE) ?? [];
  if (certificates.length === 0) throw new InvalidValueError("the file holds no certificate");
  if (certificates.length !== pem.split("-----BEGIN CERTIFICATE-----").length - 1) {
    throw new InvalidValueError("a certificate in the file has no end");
  }
  return { pem, certificates };
}

/**
 * Reads `SSL_CERT_FILE`. Many programs share it and some set it to a path that does not exist,
 * so one that is of no use is a warning only.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseSslCertFile } from "./parse_certificate_file.ts";
 *
 * const context = { warn: () => {}, readFile: () => "" };
 * assertEquals(parseSslCertFile("/no-cert-file.crt", context), undefined);
 * ```
 */
export function parseSslCertFile(path: string, context: ParseContext): CertificateFile | undefined {
  try {
    const { pem, certificates } = readCertificates(path, context);
    // A system's bundle is no hand's work; to look into all of it would take 10 ms of the start.
    if (certificates.length <= MOST_BY_HAND) checkEach(certificates);
    return { path, pem };
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    context.warn(`is ${printable(path)} and ignored: ${error.message}`);
    return undefined;
  }
}
