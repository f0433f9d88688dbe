import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { createAddressPolicy } from "../../lib/net/address_policy.ts";

const refused = {
  "0.0.0.0": "unspecified",
  "0.255.255.255": "this network",
  "10.0.0.0": "private",
  "10.255.255.255": "private",
  "100.64.0.0": "carrier-grade NAT",
  "100.127.255.255": "carrier-grade NAT",
  "127.0.0.1": "loopback",
  "127.255.255.254": "loopback",
  "169.254.0.1": "link-local",
  "169.254.169.254": "cloud metadata",
  "172.16.0.0": "private",
  "172.31.255.255": "private",
  "192.0.0.8": "protocol assignments",
  "192.0.2.1": "documentation",
  "192.88.99.1": "6to4 relays",
  "192.168.0.1": "private",
  "198.18.0.1": "benchmarking",
  "198.19.255.255": "benchmarking",
  "198.51.100.1": "documentation",
  "203.0.113.1": "documentation",
  "224.0.0.1": "multicast",
  "239.255.255.255": "multicast",
  "240.0.0.1": "reserved",
  "255.255.255.255": "broadcast",
  "::": "unspecified",
  "::1": "loopback",
  "0:0:0:0:0:0:0:1": "loopback written out",
  "::127.0.0.1": "loopback, IPv4-compatible",
  "::ffff:127.0.0.1": "loopback, mapped",
  "::ffff:7f00:1": "loopback, mapped, in hexadecimal",
  "::ffff:169.254.169.254": "cloud metadata, mapped",
  "::ffff:0:10.0.0.1": "private, translated",
  "64:ff9b::10.0.0.1": "private behind NAT64",
  "64:ff9b::a9fe:a9fe": "cloud metadata behind NAT64",
  "64:ff9b:1::8.8.8.8": "NAT64 of local use",
  "64:ff9b:1:a00:1:200:808:808": "NAT64 of local use with a private address in its middle",
  "100::1": "discard",
  "2001::1": "Teredo",
  "2001:0:4136:e378:8000:63bf:3fff:fdd2": "Teredo",
  "2001:2::1": "benchmarking",
  "2001:10::1": "ORCHID",
  "2001:20::1": "ORCHIDv2",
  "2001:db8::1": "documentation",
  "2002:7f00:1::": "6to4",
  "2002:808:808::1": "6to4",
  "3fff::1": "documentation",
  "4000::1": "not assigned",
  "5f00::1": "segment routing",
  "fc00::1": "unique local",
  "fd12:3456:789a::1": "unique local",
  "fe80::1": "link-local",
  "fe80::1%eth0": "link-local with a zone",
  "fec0::1": "site-local",
  "ff02::1": "multicast",
};
for (const [address, what] of Object.entries(refused)) {
  Deno.test(`createAddressPolicy() refuses ${address} (${what})`, () => {
    assertEquals(createAddressPolicy([])(address), false);
  });
}

const allowed = [
  "1.1.1.1",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "126.255.255.255",
  "128.0.0.1",
  "169.253.255.255",
  "172.15.255.255",
  "172.32.0.0",
  "192.167.255.255",
  "223.255.255.255",
  "2606:4700:4700::1111",
  "2a01:4f8::1",
  "::ffff:1.1.1.1",
  "64:ff9b::1.1.1.1",
];
for (const address of allowed) {
  Deno.test(`createAddressPolicy() allows ${address}`, () => {
    assertEquals(createAddressPolicy([])(address), true);
  });
}

const noAddresses = [
  "",
  " ",
  "example.org",
  "8.8.8.8 ",
  "8.8.8",
  "134744072",
  "0x8080808",
  "010.8.8.8",
  "8.8.8.8:80",
  "[2606:4700:4700::1111]",
];
Deno.test("createAddressPolicy() refuses text that is no address, whatever others read in it", () => {
  const policy = createAddressPolicy(["0.0.0.0/0", "::/0"]);
  assertEquals(noAddresses.filter(policy), []);
});

Deno.test("createAddressPolicy() allows the listed networks beside what is public", () => {
  const policy = createAddressPolicy(["10.1.0.0/16", "fd00:1::/32", "127.0.0.1/32"]);
  const answers = {
    "10.1.2.3": true,
    "10.2.0.0": false,
    "127.0.0.1": true,
    "127.0.0.2": false,
    "::ffff:10.1.2.3": true,
    "::ffff:10.2.0.0": false,
    "64:ff9b::10.1.2.3": true,
    "fd00:1::5": true,
    "fd00:2::5": false,
    "1.1.1.1": true,
  };
  for (const [address, expected] of Object.entries(answers)) {
    assertEquals([address, policy(address)], [address, expected]);
  }
});

Deno.test("createAddressPolicy() rejects networks that are none", () => {
  for (const network of ["10.0.0.0", "10.0.0.0/33", "example.org/8", ""]) {
    assertThrows(() => createAddressPolicy([network]), Error);
  }
});

const PRIVATE_V4 = fc.oneof(
  ...[[10], [127], [0], [192, 168], [169, 254], [172, 20], [100, 100], [198, 18]].map((prefix) =>
    fc.array(fc.nat(255), { minLength: 4 - prefix.length, maxLength: 4 - prefix.length })
      .map((rest) => [...prefix, ...rest].join("."))
  ),
);

Deno.test("createAddressPolicy() never allows a private address, however it is wrapped", () => {
  const policy = createAddressPolicy([]);
  const wrap = fc.constantFrom("", "::ffff:", "::", "::ffff:0:", "64:ff9b::", "64:ff9b:1::");
  fc.assert(fc.property(wrap, PRIVATE_V4, (prefix, address) => !policy(prefix + address)));
});

Deno.test("createAddressPolicy() answers for any text", () => {
  const policy = createAddressPolicy(["10.0.0.0/8", "fd00::/8"]);
  const text = fc.oneof(fc.ipV4(), fc.ipV4Extended(), fc.ipV6(), fc.string({ unit: "binary" }));
  fc.assert(fc.property(text, (text) => typeof policy(text) === "boolean"), { numRuns: 300 });
});
