import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { assertEquals, assertRejects } from "@std/assert";
import { startDnsServer } from "./dns.ts";

Deno.test("startDnsServer() answers addresses and service records", async () => {
  await using dns = await startDnsServer({
    "host.example": { A: ["192.0.2.1", "192.0.2.2"], AAAA: ["2001:db8::1", "::1"] },
    "_matrix-fed._tcp.example.org": {
      SRV: [
        { priority: 10, weight: 5, port: 443, target: "host.example" },
        { priority: 20, port: 8448, target: "." },
      ],
    },
  });
  const { nameServer } = dns;
  assertEquals(await Deno.resolveDns("host.example", "A", { nameServer }), [
    "192.0.2.1",
    "192.0.2.2",
  ]);
  assertEquals(await Deno.resolveDns("host.example", "AAAA", { nameServer }), [
    "2001:db8::1",
    "::1",
  ]);
  assertEquals(await Deno.resolveDns("_matrix-fed._tcp.example.org", "SRV", { nameServer }), [
    { priority: 10, weight: 5, port: 443, target: "host.example." },
    { priority: 20, weight: 0, port: 8448, target: "." },
  ]);
  assertEquals([dns.count("host.example"), dns.count("host.example", "AAAA")], [2, 1]);
});

Deno.test("startDnsServer() follows no alias, it only tells it", async () => {
  await using dns = await startDnsServer({ "alias.example": { CNAME: "host.example" } });
  const { nameServer } = dns;
  assertEquals(await Deno.resolveDns("alias.example", "CNAME", { nameServer }), ["host.example."]);
});

Deno.test("startDnsServer() tells absent names and types from a failing server", async () => {
  await using dns = await startDnsServer({
    "host.example": { A: ["192.0.2.1"] },
    "broken.example": { failure: "SERVFAIL" },
    "closed.example": { failure: "REFUSED" },
  });
  const { nameServer } = dns;
  const ask = (name: string) => Deno.resolveDns(name, "SRV", { nameServer });
  await assertRejects(() => ask("host.example"), Deno.errors.NotFound);
  await assertRejects(() => ask("absent.example"), Deno.errors.NotFound);
  // Deno reports a failing server as NotFound too, so the bytes have to tell.
  const codes = {
    "host.example": 0,
    "broken.example": 2,
    "absent.example": 3,
    "closed.example": 5,
  };
  for (const [name, code] of Object.entries(codes)) {
    assertEquals(await askRcode(dns.port, name), code);
  }
});

/** Sends one question by hand and returns the response code. */
async function askRcode(port: number, name: string): Promise<number> {
  const labels = name.split(".").map((label) => String.fromCharCode(label.length) + label);
  const question = `\x12\x34\x01\0\0\x01\0\0\0\0\0\0${labels.join("")}\0\0\x21\0\x01`;
  const socket = createSocket("udp4");
  try {
    const answer = once(socket, "message");
    socket.send(Buffer.from(question, "latin1"), port, "127.0.0.1");
    const [message] = await answer as [Uint8Array];
    assertEquals([...message.subarray(0, 2)], [0x12, 0x34]);
    return message[3]! & 0x0f;
  } finally {
    socket.close();
  }
}

Deno.test("startDnsServer() can stay silent", async () => {
  await using dns = await startDnsServer({ "silent.example": { failure: "silence" } });
  const abort = new AbortController();
  const asking = Deno.resolveDns("silent.example", "SRV", {
    nameServer: dns.nameServer,
    signal: abort.signal,
  });
  const answered = asking.then(() => true, () => false);
  abort.abort();
  assertEquals(await answered, false);
});
