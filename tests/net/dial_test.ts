import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type AddressLookup, dial, formatAddress, lookupAddresses } from "../../lib/net/dial.ts";
import { type RawServer, startRawServer } from "../fakes/raw_server.ts";
import { createManualClock } from "../support/manual_clock.ts";
import {
  endsWhatIsDestroyed,
  hasDeadAddresses,
  hopOf,
  noLookup,
  openDeadAddress,
  publicOnly,
} from "./fixtures.ts";

const NEXT_ADDRESS_AFTER_MS = 250;

function found(...addresses: string[]): AddressLookup {
  return () => Promise.resolve(addresses);
}

/** Accepts and keeps quiet. */
function startListener(hostname = "127.0.0.1"): RawServer {
  return startRawServer({ hostname, handle: () => new Promise(() => {}) });
}

/** A port where nobody listens, on any loopback address. */
async function freePort(): Promise<number> {
  await using server = startListener();
  return server.port;
}

async function dialOnce(host: string, port: number, lookup: AddressLookup) {
  const clock = createManualClock();
  const socket = await dial({ host, port }, { lookup, policy: undefined, clock });
  const remote = socket.remoteAddress;
  socket.destroy();
  return { remote, pending: clock.pending };
}

Deno.test("dial() connects to what the look-up gave and leaves no time limit behind", async () => {
  await using server = startListener();
  const asked: string[] = [];
  const lookup: AddressLookup = (host) => {
    asked.push(host);
    return Promise.resolve(["127.0.0.1"]);
  };
  assertEquals(await dialOnce("name.example", server.port, lookup), {
    remote: "127.0.0.1",
    pending: [],
  });
  assertEquals(asked, ["name.example"]);
});

Deno.test("dial() looks no address up", async () => {
  await using four = startListener();
  assertEquals((await dialOnce("127.0.0.1", four.port, noLookup)).remote, "127.0.0.1");
  await using six = startListener("::1");
  assertEquals((await dialOnce("::1", six.port, noLookup)).remote, "::1");
});

Deno.test("dial() goes on to the next address at once when one refuses", async () => {
  await using server = startListener();
  const lookup = found("::1", "127.0.0.1");
  // The clock stands still, so nothing but the refusal can have led there.
  assertEquals(await dialOnce("name.example", server.port, lookup), {
    remote: "127.0.0.1",
    pending: [],
  });
});

Deno.test({
  name: "dial() tries the next address beside one that stays silent for 250 ms",
  ignore: !hasDeadAddresses,
  sanitizeOps: endsWhatIsDestroyed,
  async fn() {
    await using server = startListener();
    using dead = await openDeadAddress(server.port);
    const clock = createManualClock();
    const endpoint = { host: "name.example", port: server.port };
    const lookup = found(dead.address, "127.0.0.1");
    const dialling = dial(endpoint, { lookup, policy: undefined, clock });
    await clock.waitForTimer(NEXT_ADDRESS_AFTER_MS);
    clock.advance(NEXT_ADDRESS_AFTER_MS - 1);
    assertEquals(clock.pending, [1, 2_751]);
    assertEquals(server.connections, 0);
    clock.advance(1);
    const socket = await dialling;
    assertEquals([socket.remoteAddress, clock.pending], ["127.0.0.1", []]);
    socket.destroy();
  },
});

Deno.test({
  name: "dial() gives each address 3 s and names them all when none answers",
  ignore: !hasDeadAddresses,
  sanitizeOps: endsWhatIsDestroyed,
  async fn() {
    const port = await freePort();
    using dead = await openDeadAddress(port);
    const clock = createManualClock();
    const lookup = found(dead.address, "127.0.0.1", "::1");
    const dialling = hopOf(dial({ host: "name.example", port }, {
      lookup,
      policy: undefined,
      clock,
    }));
    await clock.waitForTimer(NEXT_ADDRESS_AFTER_MS);
    clock.advance(3_000);
    const [hop, message] = await dialling;
    assertEquals(hop, "tcp");
    assertMatch(message, /^cannot connect to .*127\.0\.0\.2:\d+ \(no answer in 3 s\)/);
    assertMatch(message, /127\.0\.0\.1:\d+ \(ECONNREFUSED\)/);
    assertMatch(message, /\[::1\]:\d+ \(ECONNREFUSED\)/);
    assertEquals(clock.pending, []);
  },
});

Deno.test({
  name: "dial() takes turns between the families, and eight addresses at most",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const port = await freePort();
    const lookup = found(...Array.from({ length: 9 }, (_, i) => `127.0.0.${i + 1}`), "::1");
    const [hop, message] = await hopOf(
      dial({ host: "name.example", port }, {
        lookup,
        policy: undefined,
        clock: createManualClock(),
      }),
    );
    assertEquals(hop, "tcp");
    const tried = [...message.matchAll(/([\d.]+|\[::1\]):\d+ \(/g)].map(([, address]) => address);
    assertEquals(tried, [
      "127.0.0.1",
      "[::1]",
      ...[2, 3, 4, 5, 6, 7].map((i) => `127.0.0.${i}`),
    ]);
  },
});

Deno.test("dial() tells what the look-up failed with", async () => {
  const clock = createManualClock();
  const cases: [AddressLookup, RegExp][] = [
    [found(), /no addresses/],
    [() => Promise.reject(Object.assign(new Error("long"), { code: "ENOTFOUND" })), /ENOTFOUND/],
    [() => Promise.reject(new Error("no code")), /no code/],
    [() => Promise.reject("no error"), /no error/],
  ];
  for (const [lookup, expected] of cases) {
    const options = { lookup, policy: undefined, clock };
    const [hop, message] = await hopOf(dial({ host: "name.example", port: 1 }, options));
    assertEquals(hop, "dns");
    assertMatch(message, expected);
    assertStringIncludes(message, "name.example");
  }
  assertEquals(clock.pending, []);
});

Deno.test("dial() waits 5 s for a silent name server", async () => {
  const clock = createManualClock();
  const lookup: AddressLookup = () => new Promise(() => {});
  const dialling = hopOf(
    dial({ host: "name.example", port: 1 }, { lookup, policy: undefined, clock }),
  );
  clock.advance(5_000);
  assertEquals(await dialling, ["dns", "cannot look up name.example (no answer in 5 s)"]);
});

Deno.test("dial() connects to no address that the policy refuses", async () => {
  await using server = startListener();
  const clock = createManualClock();
  for (const host of ["127.0.0.1", "name.example"]) {
    const lookup = found("127.0.0.1", "10.0.0.1");
    const options = { lookup, policy: publicOnly, clock };
    const [hop, message] = await hopOf(dial({ host, port: server.port }, options));
    assertEquals(hop, "policy");
    assertMatch(message, /no public address .*127\.0\.0\.1.*MATRIXRTC_ALLOW_NETWORKS/);
  }
  assertEquals(server.connections, 0);
});

Deno.test({
  name: "dial() skips refused addresses and takes the others",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using server = startListener();
    const clock = createManualClock();
    const judged: string[] = [];
    const policy = (address: string) => {
      judged.push(address);
      return address === "127.0.0.1";
    };
    const lookup = found("127.0.0.2", "::1", "127.0.0.1");
    const socket = await dial({ host: "name.example", port: server.port }, {
      lookup,
      policy,
      clock,
    });
    assertEquals(socket.remoteAddress, "127.0.0.1");
    socket.destroy();
    assertEquals(judged, ["127.0.0.2", "::1", "127.0.0.1"]);
  },
});

Deno.test("dial() connects to the address that was judged, however often a name changes", async () => {
  await using server = startListener();
  const answers = [["127.0.0.1"], ["::1"]];
  let lookups = 0;
  const lookup: AddressLookup = () => Promise.resolve(answers[Math.min(lookups++, 1)]!);
  const judged: string[] = [];
  const policy = (address: string) => judged.push(address) > 0;
  const clock = createManualClock();
  const socket = await dial({ host: "rebind.example", port: server.port }, {
    lookup,
    policy,
    clock,
  });
  assertEquals([lookups, judged, socket.remoteAddress], [1, ["127.0.0.1"], "127.0.0.1"]);
  socket.destroy();
});

Deno.test("lookupAddresses() looks where the host's own programs look", async () => {
  const addresses = await lookupAddresses("localhost");
  assert(addresses.length > 0 && addresses.every((address) => /^(127\.|::1$)/.test(address)));
  assertEquals(await lookupAddresses("127.0.0.1"), ["127.0.0.1"]);
});

Deno.test("formatAddress() puts IPv6 in brackets", () => {
  assertEquals(formatAddress("::1", 80), "[::1]:80");
  assertEquals(formatAddress("127.0.0.1", 80), "127.0.0.1:80");
  assertEquals(formatAddress("example.org", 80), "example.org:80");
});
