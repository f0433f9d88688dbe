import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { isServerName, parseServerName } from "../../lib/matrix/server_name.ts";

const valid = [
  ["example.org", "example.org", undefined, false],
  ["Example.ORG", "Example.ORG", undefined, false],
  ["example.org:443", "example.org", 443, false],
  ["localhost:65535", "localhost", 65535, false],
  ["xn--bcher-kva.example", "xn--bcher-kva.example", undefined, false],
  ["1.2.3.4", "1.2.3.4", undefined, true],
  ["1.2.3.4:8448", "1.2.3.4", 8448, true],
  ["[::1]", "::1", undefined, true],
  ["[2001:db8::1]:8448", "2001:db8::1", 8448, true],
  ["[::ffff:1.2.3.4]", "::ffff:1.2.3.4", undefined, true],
] as const;
for (const [text, host, port, isIpLiteral] of valid) {
  Deno.test(`parseServerName() takes ${text} apart`, () => {
    assertEquals(parseServerName(text), { host, port, isIpLiteral });
  });
}

const invalid = [
  ["", "empty"],
  ["https://example.org", "a scheme"],
  ["example.org/path", "a path"],
  ["user@example.org", "user info"],
  ["example.org#fragment", "a fragment"],
  ["example.org?query", "a query"],
  ["example.org:", "an empty port"],
  ["example.org:0", "port 0"],
  ["example.org:65536", "a port too high"],
  ["example.org:+80", "a signed port"],
  ["example.org:80:80", "two ports"],
  ["exa mple.org", "a blank"],
  [" example.org", "a leading blank"],
  ["example.org\r\nHost: evil", "CRLF"],
  ["example.org\n", "a trailing newline"],
  ["example.org\0", "NUL"],
  ["exämple.org", "a letter outside ASCII"],
  ["a".repeat(300), "300 characters"],
  [`${"a".repeat(64)}.org`, "a label of 64 characters"],
  ["..", "dots"],
  [".example.org", "a leading dot"],
  ["a..b", "an empty label"],
  ["127.1", "a short address"],
  ["2130706433", "an address as one number"],
  ["0x7f000001", "a hexadecimal address"],
  ["0177.0.0.01", "an octal address"],
  ["256.1.1.1", "an address out of range"],
  ["::1", "IPv6 without brackets"],
  ["[::1", "an open bracket"],
  ["[1.2.3.4]", "IPv4 in brackets"],
  ["[fe80::1%eth0]", "a zone"],
  ["under_score.org", "an underscore"],
] as const;
for (const [text, what] of invalid) {
  Deno.test(`parseServerName() refuses ${what}`, () => {
    assertEquals(parseServerName(text), undefined);
  });
}

Deno.test("parseServerName() takes any name apart so that the parts make it up again", () => {
  const label = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
  const host = fc.oneof(
    fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join(".")),
    fc.ipV4(),
  );
  fc.assert(fc.property(host, fc.option(fc.integer({ min: 1, max: 65535 })), (host, port) => {
    const parsed = parseServerName(port === null ? host : `${host}:${port}`);
    assert(parsed !== undefined);
    assertEquals([parsed.host, parsed.port ?? null], [host, port]);
  }));
});

Deno.test("isServerName() answers for any text at all", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    if (isServerName(text)) assert(/^[\w.:[\]-]+$/.test(text));
  }));
});
