import dgram from "node:dgram";
import { assertEquals } from "@std/assert";
import type { Verdict } from "../../../lib/diagnosis/check.ts";
import {
  judgeAddresses,
  judgeIceServers,
  judgeTcp,
} from "../../../lib/diagnosis/media/judge_places.ts";
import { parseIceServerUrl } from "../../../lib/diagnosis/media/ice_server_url.ts";
import type { TriedPlace } from "../../../lib/diagnosis/media/places.ts";
import { answersStun, isBindingAnswer } from "../../../lib/diagnosis/media/stun.ts";
import { createManualClock } from "../../support/manual_clock.ts";
import { assertFinding } from "../support/answer.ts";

const place = (kind: TriedPlace["kind"], trouble?: string): TriedPlace => ({
  name: `${kind}:x`,
  kind,
  ...trouble !== undefined && { trouble },
});
const TCP: [TriedPlace[], Verdict, RegExp][] = [
  [[place("candidate")], "PASS", /open/],
  [[place("candidate", "closed"), place("candidate")], "PASS", /closed/],
  [[place("candidate", "closed")], "FAIL", /7881/],
  [[], "WARN", /rtc\.tcp_port/],
];
for (const [tried, verdict, says] of TCP) {
  Deno.test(`judgeTcp() of ${JSON.stringify(tried)}`, () => {
    assertFinding(judgeTcp(tried), verdict, says);
  });
}

const ICE: [TriedPlace[], Verdict, RegExp][] = [
  [[], "SKIP", /no STUN or TURN/],
  [[place("stun", "silent"), place("stun")], "PASS", /silent/],
  [[place("stun", "silent")], "WARN", /let UDP out/],
  [[place("turn"), place("stun", "silent")], "PASS", /open/],
  [[place("turn", "no TLS"), place("turn")], "FAIL", /turn\.domain/],
];
for (const [tried, verdict, says] of ICE) {
  Deno.test(`judgeIceServers() of ${JSON.stringify(tried)}`, () => {
    assertFinding(judgeIceServers(tried), verdict, says);
  });
}

const ADDRESSES: [string[], boolean, Verdict, RegExp][] = [
  [["203.0.113.7"], true, "PASS", /public/],
  [["203.0.113.7", "172.17.0.2"], true, "WARN", /172\.17\.0\.2.*node_ip/],
  [["203.0.113.7", "192.168.1.5"], true, "WARN", /192\.168/],
  [["192.168.1.5"], false, "PASS", /containers/],
  [["192.168.1.5", "172.18.0.4"], false, "WARN", /172\.18/],
  [["172.16.5.5"], false, "PASS", /containers/],
  [[], true, "SKIP", /F5/],
];
for (const [addresses, isPublic, verdict, says] of ADDRESSES) {
  Deno.test(`judgeAddresses() of ${addresses} where clients are ${isPublic}ly outside`, () => {
    const candidates = addresses.map((address) =>
      ({ transport: "udp", address, port: 50_000, type: "host" }) as const
    );
    const isPublicAddress = (address: string) => address.startsWith("203.");
    assertFinding(judgeAddresses(candidates, isPublic, isPublicAddress), verdict, says);
  });
}

Deno.test("parseIceServerUrl() knows the default ports and IPv6", () => {
  const read = (url: string) => {
    const { host, port, transport, kind } = parseIceServerUrl(url)!;
    return [kind, host, port, transport];
  };
  assertEquals(read("stun:example.org"), ["stun", "example.org", 3478, "udp"]);
  assertEquals(read("turns:example.org"), ["turn", "example.org", 5349, "tls"]);
  assertEquals(read("turn:[2001:db8::1]:443?transport=tcp"), ["turn", "2001:db8::1", 443, "tcp"]);
});

/** A STUN server that answers every request with what it is given. */
async function startStun(reply: (request: Uint8Array) => Uint8Array | undefined) {
  const server = dgram.createSocket("udp4");
  server.on("message", (request, { port, address }) => {
    const answer = reply(request);
    if (answer !== undefined) server.send(answer, port, address);
  });
  await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve));
  return {
    port: server.address().port,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

const success = (request: Uint8Array) => Uint8Array.from([1, 1, ...request.subarray(2)]);

Deno.test("answersStun() hears a server's answer to its own request", async () => {
  await using server = await startStun(success);
  assertEquals(await answersStun("127.0.0.1", server.port, createManualClock()), true);
});

Deno.test("answersStun() sends again three times, and then gives up", async () => {
  const clock = createManualClock();
  let seen = 0;
  let hear = () => {};
  await using server = await startStun(() => void (seen++, hear()));
  const arrived = () => new Promise<void>((resolve) => hear = resolve);
  let next = arrived();
  const asking = answersStun("127.0.0.1", server.port, clock);
  for (let i = 0; i < 3; i++) {
    await next;
    next = arrived();
    await clock.advance(700);
  }
  assertEquals([await asking, seen], [false, 3]);
});

Deno.test("isBindingAnswer() refuses answers to others, and what is no STUN", () => {
  const id = new Uint8Array(12).fill(3);
  const answer = Uint8Array.of(1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, ...id);
  assertEquals(isBindingAnswer(answer, id), true);
  assertEquals(isBindingAnswer(answer, new Uint8Array(12)), false);
  assertEquals(isBindingAnswer(answer.subarray(0, 19), id), false);
  assertEquals(isBindingAnswer(answer.with(0, 0), id), false);
  assertEquals(isBindingAnswer(answer.with(4, 0), id), false);
});
