import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { InvalidValueError } from "../../../lib/config/parse/invalid_value.ts";
import {
  parseCertificateFile,
  parseSslCertFile,
} from "../../../lib/config/parse/parse_certificate_file.ts";
import { createTestCa } from "../../support/test_ca.ts";

const [one, two] = await Promise.all([createTestCa(), createTestCa()]);
const key = (await one.issue(["a.example"])).key;
const broken = one.pem.replace(/\n[^\n-]{8}/, "\nAAAAAAAA");

function contextOf(text: string) {
  const warnings: string[] = [];
  return { warnings, warn: (message: string) => void warnings.push(message), readFile: () => text };
}

Deno.test("parseCertificateFile() takes a bundle with text around its certificates", () => {
  const pem = `# mine\r\n${one.pem}\n\nother\n${two.pem.replaceAll("\n", "\r\n")}`;
  assertEquals(parseCertificateFile("/ca.pem", contextOf(pem)), { path: "/ca.pem", pem });
});

const REFUSALS = [
  { name: "a private key", pem: key, says: "holds no certificate" },
  { name: "a cut file", pem: one.pem + two.pem.slice(0, 100), says: "has no end" },
  { name: "a broken certificate", pem: two.pem + broken, says: "certificate 2 in the file" },
];
for (const { name, pem, says } of REFUSALS) {
  Deno.test(`parseCertificateFile() refuses ${name}`, () => {
    assertThrows(() => parseCertificateFile("/ca.pem", contextOf(pem)), InvalidValueError, says);
  });

  Deno.test(`parseSslCertFile() ignores ${name} with a warning`, () => {
    const context = contextOf(pem);
    assertEquals(parseSslCertFile("/ca.pem", context), undefined);
    assertStringIncludes(context.warnings[0]!, says);
  });
}
