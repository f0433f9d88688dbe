import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseTrustedProxies } from "../../lib/config/parse/parse_networks.ts";
import { createClientOf } from "../../lib/http/client_address.ts";

const PRIVATE = parseTrustedProxies("private", { warn() {}, readFile: () => "" });

/** The client of a request from a peer, with header lines as they arrive. */
function client(
  peer: string | undefined,
  lines: readonly (readonly [string, string])[],
  trusted: readonly string[] = PRIVATE,
) {
  const remoteAddr = peer === undefined
    ? { transport: "unix" }
    : { transport: "tcp", hostname: peer };
  return createClientOf(trusted)(new Headers(lines.map(([a, b]): [string, string] => [a, b])), {
    remoteAddr,
  });
}

for (
  const { peer, xff, expected } of [
    // A peer that is no proxy is the client, whatever it says.
    { peer: "203.0.113.7", xff: "198.51.100.1", expected: "203.0.113.7" },
    { peer: "2001:db8:1:2:3::4", xff: "198.51.100.1", expected: "2001:db8:1:2::/64" },
    { peer: "::ffff:203.0.113.7", xff: undefined, expected: "203.0.113.7" },
    // A proxy is not.
    { peer: "127.0.0.1", xff: undefined, expected: undefined },
    { peer: "127.0.0.1", xff: "", expected: undefined },
    { peer: "127.0.0.1", xff: "203.0.113.7", expected: "203.0.113.7" },
    { peer: "::ffff:127.0.0.1", xff: "203.0.113.7", expected: "203.0.113.7" },
    { peer: "::1", xff: "203.0.113.7", expected: "203.0.113.7" },
    { peer: "fe80::1%eth0", xff: "203.0.113.7", expected: "203.0.113.7" },
    { peer: "172.17.0.1", xff: "2001:db8::1", expected: "2001:db8:0:0::/64" },
    { peer: "10.1.2.3", xff: "::ffff:203.0.113.7", expected: "203.0.113.7" },
    // Proxy behind proxy, with empty elements and blanks between.
    { peer: "10.0.0.1", xff: "203.0.113.7, 192.168.0.2,, 10.0.0.9 ,", expected: "203.0.113.7" },
    { peer: "10.0.0.1", xff: "192.168.0.2, 10.0.0.9", expected: undefined },
    // With a port, as some proxies write it.
    { peer: "10.0.0.1", xff: "203.0.113.7:4711", expected: "203.0.113.7" },
    { peer: "10.0.0.1", xff: "[2001:db8::1]:4711", expected: "2001:db8:0:0::/64" },
    { peer: "10.0.0.1", xff: "[2001:db8::1]", expected: "2001:db8:0:0::/64" },
    // What clients put in front counts for nothing.
    { peer: "10.0.0.1", xff: "8.8.8.8, 203.0.113.7", expected: "203.0.113.7" },
    { peer: "10.0.0.1", xff: '"8.8.8.8, 203.0.113.7', expected: "203.0.113.7" },
    { peer: "10.0.0.1", xff: "127.0.0.1, 203.0.113.7, 10.0.0.2", expected: "203.0.113.7" },
    // What cannot be read ends the reading: nothing further left is known to be true.
    ...["unknown", "_hidden", "0x7f.1", "203.0.113.999", "203.0.113.7 x", "1", '""', "[::1", "é"]
      .flatMap((garbage) => [
        { peer: "10.0.0.1", xff: `203.0.113.7, ${garbage}, 10.0.0.2`, expected: undefined },
        { peer: "10.0.0.1", xff: `${garbage}, 203.0.113.7`, expected: "203.0.113.7" },
      ]),
  ]
) {
  Deno.test(`clientOf() takes "${xff}" from ${peer} for ${expected ?? "nobody"}`, () => {
    const lines = xff === undefined ? [] : [["x-forwarded-for", xff] as const];
    assertEquals(client(peer, lines), expected);
  });
}

for (
  const { forwarded, expected } of [
    { forwarded: "for=203.0.113.7", expected: "203.0.113.7" },
    { forwarded: "For=203.0.113.7;proto=https;by=203.0.113.43", expected: "203.0.113.7" },
    { forwarded: 'proto=http;FOR="203.0.113.7:1234"', expected: "203.0.113.7" },
    { forwarded: 'for="[2001:db8::1]:1234"', expected: "2001:db8:0:0::/64" },
    { forwarded: 'for="[2001:db8::1]";host="a,b;for=1.1.1.1"', expected: "2001:db8:0:0::/64" },
    { forwarded: 'for=203.0.113.7, for=10.0.0.5;by="a\\",for=9.9.9.9"', expected: "203.0.113.7" },
    { forwarded: 'for="8.8.8.8, for=203.0.113.7', expected: "203.0.113.7" },
    { forwarded: "for=8.8.8.8, for=203.0.113.7, for=192.168.1.1", expected: "203.0.113.7" },
    { forwarded: "for=203.0.113.7, for=unknown", expected: undefined },
    { forwarded: "for=203.0.113.7, for=_SEVKISEK", expected: undefined },
    { forwarded: 'for=203.0.113.7, for="_gazonk"', expected: undefined },
    { forwarded: "for=203.0.113.7;for=8.8.8.8", expected: undefined },
    { forwarded: "203.0.113.7", expected: undefined },
    { forwarded: "for=", expected: undefined },
    { forwarded: "by=203.0.113.7", expected: undefined },
  ]
) {
  Deno.test(`clientOf() takes Forwarded: ${forwarded} for ${expected ?? "nobody"}`, () => {
    assertEquals(client("10.0.0.1", [["forwarded", forwarded]]), expected);
  });
}

Deno.test("clientOf() reads several lines of one header as one, the last line last", () => {
  const lines = [["x-forwarded-for", "8.8.8.8"], ["x-forwarded-for", "203.0.113.7"]] as const;
  assertEquals(client("10.0.0.1", lines), "203.0.113.7");
});

Deno.test("clientOf() believes X-Forwarded-For rather than the header that proxies pass on unread", () => {
  const lines = [["forwarded", "for=8.8.8.8"], ["x-forwarded-for", "203.0.113.7"]] as const;
  assertEquals(client("10.0.0.1", lines), "203.0.113.7");
});

Deno.test("clientOf() believes a unix socket's peer, which is the proxy", () => {
  assertEquals(client(undefined, [["x-forwarded-for", "203.0.113.7"]]), "203.0.113.7");
  assertEquals(client(undefined, []), undefined);
});

Deno.test("clientOf() believes no header where nobody is trusted", () => {
  const lines = [["x-forwarded-for", "203.0.113.7"]] as const;
  assertEquals(client("127.0.0.1", lines, []), "127.0.0.1");
  assertEquals(client("192.168.1.2", lines, []), "192.168.1.2");
  assertEquals(client(undefined, lines, []), undefined);
});

Deno.test("clientOf() trusts the networks it is told, and no others", () => {
  const trusted = ["203.0.113.0/24", "2001:db8:ffff::/48"];
  const lines = [["x-forwarded-for", "198.51.100.1, 2001:db8:ffff::1, 203.0.113.9"]] as const;
  assertEquals(client("203.0.113.1", lines, trusted), "198.51.100.1");
  assertEquals(client("127.0.0.1", lines, trusted), "127.0.0.1");
});

Deno.test("clientOf() knows nobody without a peer", () => {
  const headers = new Headers({ "x-forwarded-for": "203.0.113.7" });
  assertEquals(createClientOf(PRIVATE)(headers, undefined), undefined);
});

Deno.test("clientOf() looks at no more than 32 entries and 8 KiB", () => {
  const chain = (length: number) => ["203.0.113.7", ...Array(length).fill("10.0.0.1")].join();
  assertEquals(client("10.0.0.1", [["x-forwarded-for", chain(31)]]), "203.0.113.7");
  assertEquals(client("10.0.0.1", [["x-forwarded-for", chain(32)]]), undefined);
  const blanks = (length: number) => "203.0.113.7," + " ".repeat(length) + "10.0.0.1";
  assertEquals(client("10.0.0.1", [["x-forwarded-for", blanks(8_000)]]), "203.0.113.7");
  assertEquals(client("10.0.0.1", [["x-forwarded-for", blanks(9_000)]]), undefined);
  // Cut in the middle of an address: what is left of it is another one.
  const cut = ` 203.0.113.77${" ".repeat(8 * 1024 - 5)}`;
  assertEquals(client("10.0.0.1", [["x-forwarded-for", cut + ",10.0.0.1"]]), undefined);
});

const hostile = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.array(fc.constantFrom(...'",;\\ =[]:.for19abc\t_'), { maxLength: 60 }).map((a) => a.join("")),
).map((text) => text.replace(/[^\t\x20-\x7e]/g, "?"));

Deno.test("clientOf() finds the client that the proxy has seen, whatever that client has written", () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  fc.assert(fc.property(hostile, address, fc.boolean(), (claim, real, isOld) => {
    const node = real.includes(":") ? `"[${real}]:1"` : real;
    const name = isOld ? "x-forwarded-for" : "forwarded";
    const trusted = ["192.0.2.1/32"];
    const entry = isOld ? real : `for=${node}`;
    const alone = client("192.0.2.1", [[name, entry]], trusted);
    assertEquals(client("192.0.2.1", [[name, `${claim}, ${entry}`]], trusted), alone);
    if (real !== "192.0.2.1") assertEquals(typeof alone, "string", real);
  }));
});

Deno.test("clientOf() names a client in few ways, and never throws", () => {
  fc.assert(fc.property(hostile, hostile, (claim, peer) => {
    for (const name of ["x-forwarded-for", "forwarded"]) {
      for (const from of ["10.0.0.1", peer]) {
        const found = client(from, [[name, claim]]) ?? "0.0.0.0";
        assertEquals(/^(?:\d+(?:\.\d+){3}|[0-9a-f]+(?::[0-9a-f]+){3}::\/64)$/.test(found), true);
      }
    }
  }));
});
