import { judgeAddresses } from "../../../lib/diagnosis/names/judge_addresses.ts";
import { judgeClock } from "../../../lib/diagnosis/names/judge_clock.ts";
import { judgeHairpin } from "../../../lib/diagnosis/names/judge_hairpin.ts";
import { judgeHandshakes } from "../../../lib/diagnosis/names/judge_handshakes.ts";
import type { CertificateFacts, Handshake } from "../../../lib/diagnosis/handshake.ts";
import { answer, assertFinding, refused } from "../support/answer.ts";

for (
  const [host, isForClients, addresses, verdict, says] of [
    ["a.example", true, ["93.184.215.14", "2a00::1"], "PASS", /93\.184\.215\.14, 2a00::1/],
    ["a.example", true, ["10.0.0.1"], "PASS", /\(private\)/],
    ["synapse", false, ["127.0.0.1"], "PASS", /\(loopback\)/],
    ["a.example", true, ["127.0.1.1"], "WARN", /this very machine/],
    ["localhost", true, ["127.0.0.1"], "PASS", undefined],
    ["127.0.0.1", true, ["127.0.0.1"], "PASS", undefined],
    ["a.example", true, ["0.0.0.0"], "FAIL", /blocklist/],
    ["a.example", true, { error: "ENOTFOUND" }, "FAIL", /ENOTFOUND.*extra_hosts/],
  ] as const
) {
  Deno.test(`judgeAddresses() says ${verdict} of ${host} at ${JSON.stringify(addresses)}`, () => {
    assertFinding(judgeAddresses({ host, roles: ["x"], isForClients }, addresses), verdict, says);
  });
}

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 0, 1);
const certificate: CertificateFacts = {
  subject: "CN=a",
  issuer: "CN=Authority",
  altNames: "DNS:a.example",
  notBefore: NOW - DAY_MS,
  notAfter: NOW + 60 * DAY_MS,
  isForName: true,
};
const closed: Handshake = { tcpError: "cannot connect to X (ECONNREFUSED)" };
const noRoute: Handshake = { tcpError: "cannot connect to X (ENETUNREACH)" };
const good: Handshake = { certificate };
const bad = (facts: Partial<CertificateFacts>): Handshake => ({
  tlsError: "no TLS with a.example: it is bad",
  certificate: { ...certificate, ...facts },
});

for (
  const { name, seen, verdict, says } of [
    { name: "all open", seen: { "192.0.2.1": good, "2001:db8::1": good }, verdict: "PASS" },
    { name: "plain HTTP", seen: { "192.0.2.1": {} }, verdict: "PASS" },
    { name: "no address", seen: {}, verdict: "SKIP" },
    { name: "all closed", seen: { "192.0.2.1": closed }, verdict: "FAIL", says: /firewall/ },
    {
      name: "IPv6 closed",
      seen: { "192.0.2.1": good, "2001:db8::1": closed },
      verdict: "FAIL",
      says: /remove the AAAA record/,
    },
    {
      name: "IPv4 closed",
      seen: { "192.0.2.1": closed, "2001:db8::1": good },
      verdict: "FAIL",
      says: /Not every address/,
    },
    {
      name: "no IPv6 here, which says nothing",
      seen: { "192.0.2.1": good, "2001:db8::1": noRoute },
      verdict: "PASS",
    },
    { name: "no route at all", seen: { "2001:db8::1": noRoute }, verdict: "FAIL", says: /route/ },
    {
      name: "13 days left",
      seen: { "192.0.2.1": { certificate: { ...certificate, notAfter: NOW + 13.9 * DAY_MS } } },
      verdict: "WARN",
      says: /in 13 days.*Renew/,
    },
    {
      name: "14 days left",
      seen: { "192.0.2.1": { certificate: { ...certificate, notAfter: NOW + 14.1 * DAY_MS } } },
      verdict: "PASS",
    },
    {
      name: "expired on one address",
      seen: { "192.0.2.1": good, "192.0.2.2": bad({ notAfter: NOW - DAY_MS }) },
      verdict: "FAIL",
      says: /192\.0\.2\.2: the certificate has expired on 2025-12-31/,
    },
    {
      name: "not valid yet",
      seen: { "192.0.2.1": bad({ notBefore: NOW + DAY_MS }) },
      verdict: "FAIL",
      says: /from 2026-01-02 only/,
    },
    {
      name: "another name",
      seen: { "192.0.2.1": bad({ isForName: false, altNames: "DNS:b.example" }) },
      verdict: "FAIL",
      says: /is for DNS:b\.example, not for a\.example/,
    },
    {
      name: "an authority that is not known",
      seen: { "192.0.2.1": bad({}) },
      verdict: "FAIL",
      says: /CN=Authority is not trusted here.*MATRIXRTC_CA_FILE/,
    },
    {
      name: "no TLS at all",
      seen: { "192.0.2.1": { tlsError: "no TLS with a.example: wrong version number" } },
      verdict: "FAIL",
      says: /No TLS is spoken there/,
    },
  ] as const
) {
  Deno.test(`judgeHandshakes() says ${verdict} of ${name}`, () => {
    const handshakes = Object.entries(seen).map(([address, handshake]) => ({ address, handshake }));
    const facts = { host: "a.example", port: 443, handshakes, now: NOW };
    assertFinding(judgeHandshakes({ ...facts, insecureSkipVerifyTls: false }), verdict, says);
  });
}

Deno.test("judgeHandshakes() only warns where the service does not verify", () => {
  const handshakes = [{ address: "192.0.2.1", handshake: bad({}) }];
  const facts = { host: "a.example", port: 443, handshakes, now: NOW };
  assertFinding(judgeHandshakes({ ...facts, insecureSkipVerifyTls: true }), "WARN");
});

for (
  const [hosts, verdict, says] of [
    [[], "SKIP", undefined],
    [[{ host: "a", isForService: true }], "SKIP", undefined],
    [[{ host: "a", isForService: true, isOpen: true }], "PASS", undefined],
    [[{ host: "a", isForService: false, isOpen: false }], "WARN", /hairpin/],
    [[{ host: "a", isForService: true, isOpen: false }], "FAIL", /LIVEKIT_INTERNAL_URL/],
  ] as const
) {
  Deno.test(`judgeHairpin() says ${verdict} of ${JSON.stringify(hosts)}`, () => {
    assertFinding(judgeHairpin(hosts), verdict, says);
  });
}

for (
  const [offsetS, ms, verdict, says] of [
    [0, 0, "PASS", /^0 s apart/],
    [-1, 0, "PASS", undefined],
    [-4, 3_000, "PASS", /^0 s apart/],
    [5, 0, "PASS", undefined],
    [6, 0, "WARN", /6 s behind/],
    [60, 0, "WARN", undefined],
    [61, 0, "FAIL", /61 s behind.*NTP/],
    [-91, 0, "FAIL", /90 s ahead/],
  ] as const
) {
  Deno.test(`judgeClock() says ${verdict} of ${offsetS} s after ${ms} ms`, () => {
    const date = new Date(NOW + offsetS * 1000).toUTCString();
    assertFinding(judgeClock(answer({ headers: { date }, receivedAt: NOW, ms })), verdict, says);
  });
}

Deno.test("judgeClock() cannot tell without a date", () => {
  assertFinding(judgeClock(refused), "SKIP");
  assertFinding(judgeClock(answer()), "SKIP", /no Date/);
});
