import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseListenAddress } from "../../../lib/config/parse/parse_listen_address.ts";
import type { ListenAddress } from "../../../lib/config/config.ts";

const ADDRESSES: Record<string, ListenAddress> = {
  ":8080": { kind: "tcp", port: 8080 },
  ":0": { kind: "tcp", port: 0 },
  "0.0.0.0:80": { kind: "tcp", hostname: "0.0.0.0", port: 80 },
  "localhost:8080": { kind: "tcp", hostname: "localhost", port: 8080 },
  "[::]:8080": { kind: "tcp", hostname: "::", port: 8080 },
  "[::1]:8080": { kind: "tcp", hostname: "::1", port: 8080 },
  "[fe80::1%eth0]:80": { kind: "tcp", hostname: "fe80::1%eth0", port: 80 },
  "unix:/run/auth/a.sock": { kind: "unix", path: "/run/auth/a.sock" },
  "unix:///run/a:1.sock": { kind: "unix", path: "/run/a:1.sock" },
};
for (const [text, address] of Object.entries(ADDRESSES)) {
  Deno.test(`parseListenAddress() understands ${text}`, () => {
    assertEquals(parseListenAddress(text), address);
  });
}

Deno.test("parseListenAddress() gives back what was written", () => {
  const host = fc.oneof(fc.ipV4(), fc.domain(), fc.constant("localhost"));
  fc.assert(fc.property(host, fc.nat(65535), (hostname, port) => {
    assertEquals(parseListenAddress(`${hostname}:${port}`), { kind: "tcp", hostname, port });
  }));
  fc.assert(fc.property(fc.ipV6(), fc.nat(65535), (hostname, port) => {
    assertEquals(parseListenAddress(`[${hostname}]:${port}`), { kind: "tcp", hostname, port });
  }));
});
