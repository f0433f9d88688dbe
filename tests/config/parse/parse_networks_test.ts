import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { parseNetworks, parseTrustedProxies } from "../../../lib/config/parse/parse_networks.ts";

function createContext() {
  const warnings: string[] = [];
  return { warnings, warn: (message: string) => void warnings.push(message), readFile: () => "" };
}

const NORMAL_FORMS = {
  "10.1.2.3/8": "10.0.0.0/8",
  "10.1.2.3": "10.1.2.3/32",
  "192.168.1.255/25": "192.168.1.128/25",
  "::1": "::1/128",
  "FD00:0:0::1/8": "fd00::/8",
  "2001:db8::ffff/33": "2001:db8::/33",
  "::ffff:10.1.2.3/104": "10.0.0.0/8",
  "::ffff:10.1.2.3": "10.1.2.3/32",
  "1.2.3.4/0": "0.0.0.0/0",
};
for (const [text, normal] of Object.entries(NORMAL_FORMS)) {
  Deno.test(`parseNetworks() makes ${normal} of ${text}`, () => {
    assertEquals(parseNetworks(text, createContext()), [normal]);
  });
}

Deno.test("parseNetworks() drops repetitions", () => {
  assertEquals(parseNetworks("10.0.0.1/8,10.2.0.0/8", createContext()), ["10.0.0.0/8"]);
});

Deno.test("parseNetworks() warns about all addresses", () => {
  for (const text of ["0.0.0.0/0", "::/0"]) {
    const context = createContext();
    parseNetworks(text, context);
    assertEquals(context.warnings, [`lists ${text}, which is every address there is`]);
  }
});

Deno.test("parseNetworks() gives networks that hold the address they were made of", () => {
  const networks = fc.oneof(
    fc.tuple(fc.ipV4(), fc.nat(32)),
    fc.tuple(
      fc.ipV6().filter((address) => !ipaddr.IPv6.parse(address).isIPv4MappedAddress()),
      fc.nat(128),
    ),
  );
  fc.assert(fc.property(networks, ([address, prefix]) => {
    const [network] = parseNetworks(`${address}/${prefix}`, createContext());
    assert(ipaddr.parse(address).match(ipaddr.parseCIDR(network!)));
    assertEquals(parseNetworks(network!, createContext()), [network!]);
  }));
});

Deno.test("parseTrustedProxies() takes networks beside private", () => {
  const proxies = parseTrustedProxies("private 203.0.113.7", createContext());
  assert(proxies.includes("203.0.113.7/32") && proxies.includes("192.168.0.0/16"));
});
