import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { lookupSrv, orderSrvRecords, type SrvRecord } from "../../lib/verification/srv.ts";
import { startDnsServer } from "../fakes/dns.ts";
import { createManualClock } from "../support/manual_clock.ts";
import { srvRecord } from "./fixtures.ts";

/** A repeatable stand-in for Math.random: mulberry32. */
function seededRandom(seed: number): () => number {
  return () => {
    seed = seed + 0x6d2b79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
}

Deno.test("orderSrvRecords() gives every record once, lower priorities first", () => {
  const uint16 = fc.nat(65_535);
  const record = fc.record({
    priority: fc.nat(3),
    weight: fc.oneof(fc.constant(0), uint16),
    port: uint16,
    target: fc.domain(),
  });
  const records = fc.array(record, { maxLength: 16 });
  fc.assert(fc.property(records, fc.integer(), (records, seed) => {
    const priorityOf = new Map(records.map((record, i) => [`${i}.example`, record.priority]));
    const named = records.map((record, i) => ({ ...record, target: `${i}.example` }));
    const ordered = orderSrvRecords(named, seededRandom(seed));
    assertEquals(
      ordered.map(({ host }) => host).sort(),
      named.map(({ target }) => target).sort(),
    );
    for (const { host, port } of ordered) {
      assertEquals(port, named.find(({ target }) => target === host)?.port);
    }
    const priorities = ordered.map(({ host }) => priorityOf.get(host)!);
    assertEquals(priorities, priorities.toSorted((a, b) => a - b));
  }));
});

Deno.test("orderSrvRecords() tries by weight, and weight 0 seldom", () => {
  const records = [
    srvRecord("one", 1, 0, 1),
    srvRecord("three", 1, 0, 3),
    srvRecord("six", 1, 0, 6),
    srvRecord("zero", 1, 0, 0),
  ];
  const random = seededRandom(1);
  const first: Record<string, number> = {};
  for (let i = 0; i < 11_000; i++) {
    const { host } = orderSrvRecords(records, random)[0]!;
    first[host] = (first[host] ?? 0) + 1;
  }
  // Of the eleven whole numbers from 0 to 10, one is the record's of weight 0 (RFC 2782).
  const expected = { zero: 1_000, one: 1_000, three: 3_000, six: 6_000 };
  for (const [host, count] of Object.entries(expected)) {
    assert(Math.abs(first[host]! - count) < 200, `${host} came first ${first[host]} times`);
  }
});

Deno.test("orderSrvRecords() lists 16 at most", () => {
  const records = Array.from({ length: 40 }, (_, i) => srvRecord(`${i}.example`, 1, i));
  const ordered = orderSrvRecords(records, () => 0);
  assertEquals(ordered.map(({ host }) => host), records.slice(0, 16).map(({ target }) => target));
});

Deno.test("orderSrvRecords() takes the dot off a name, and none for no service", () => {
  const order = (...records: SrvRecord[]) => orderSrvRecords(records, () => 0);
  assertEquals(order(srvRecord("a.example.", 1)), [{ host: "a.example", port: 1 }]);
  assertEquals(order(srvRecord(".", 0)), []);
  assertEquals(order(srvRecord("", 0)), []);
  assertEquals(order(srvRecord(".", 0), srvRecord("a.example", 1)), [
    { host: "a.example", port: 1 },
  ]);
  assertEquals(order(), []);
});

Deno.test("lookupSrv() gives what the name server says, for the absolute name only", async () => {
  await using dns = await startDnsServer({
    "_matrix-fed._tcp.example.org": {
      SRV: [{ priority: 1, weight: 2, port: 3, target: "node.example" }],
    },
    "_matrix._tcp.example.org": { A: ["192.0.2.1"] },
  });
  const clock = createManualClock();
  const found = await lookupSrv("_matrix-fed._tcp.example.org", clock, dns.nameServer);
  assertEquals(found.map((record) => ({ ...record })), [
    { priority: 1, weight: 2, port: 3, target: "node.example." },
  ]);
  assertEquals(await lookupSrv("_matrix._tcp.example.org.", clock, dns.nameServer), []);
  assertEquals(await lookupSrv("absent.example", clock, dns.nameServer), []);
  assertEquals(
    new Set(dns.queries.map(({ name, type }) => `${name} ${type}`)),
    new Set([
      "_matrix-fed._tcp.example.org SRV",
      "_matrix._tcp.example.org SRV",
      "absent.example SRV",
    ]),
  );
  assertEquals(clock.pending, []);
});

Deno.test("lookupSrv() gives a silent name server 5 s, then stops asking", async () => {
  await using dns = await startDnsServer({ "silent.example": { failure: "silence" } });
  const clock = createManualClock();
  const looking = assertRejects(
    () => lookupSrv("silent.example", clock, dns.nameServer),
    Error,
    "no answer in 5 s",
  );
  clock.advance(4_999);
  assertEquals(clock.pending, [1]);
  clock.advance(1);
  await looking;
});

Deno.test("lookupSrv() throws for a name that cannot be asked for", async () => {
  const clock = createManualClock();
  const nameServer = { ipAddr: "127.0.0.1", port: 9 };
  await assertRejects(() => lookupSrv("a..b", clock, nameServer), Error);
});
