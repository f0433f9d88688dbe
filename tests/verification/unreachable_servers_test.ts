import { assertEquals, assertThrows } from "@std/assert";
import { UpstreamError } from "../../lib/matrix/errors.ts";
import { UnreachableServers } from "../../lib/verification/unreachable_servers.ts";
import { createManualClock } from "../support/manual_clock.ts";

const gone = new UpstreamError("tcp", "cannot connect to 192.0.2.1:8448 (ECONNREFUSED)");

/** How long a server is not tried again after a failure, in whole milliseconds. */
function remembered(servers: UnreachableServers, clock: ReturnType<typeof createManualClock>) {
  for (let ms = 0;; ms += 500) {
    try {
      servers.check("a.example");
      return ms;
    } catch {
      clock.advance(500);
    }
  }
}

Deno.test("UnreachableServers remembers a failure twice as long each time, up to a limit", () => {
  const clock = createManualClock();
  const servers = new UnreachableServers(clock);
  const times = Array.from({ length: 6 }, () => {
    servers.add("a.example", gone, 5_000, 60_000);
    return remembered(servers, clock);
  });
  assertEquals(times, [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
});

Deno.test("UnreachableServers takes failures at once for one", () => {
  const clock = createManualClock();
  const servers = new UnreachableServers(clock);
  for (let i = 0; i < 64; i++) servers.add("a.example", gone, 5_000, 60_000);
  assertEquals(remembered(servers, clock), 5_000);
  servers.add("a.example", gone, 5_000, 60_000);
  assertEquals(remembered(servers, clock), 10_000);
});

Deno.test("UnreachableServers starts anew once a server has answered", () => {
  const clock = createManualClock();
  const servers = new UnreachableServers(clock);
  servers.add("a.example", gone, 5_000, 60_000);
  servers.remove("a.example");
  servers.check("a.example");
  servers.add("a.example", gone, 5_000, 60_000);
  assertEquals(remembered(servers, clock), 5_000);
});

Deno.test("UnreachableServers says what happened and for how long it counts, server by server", () => {
  const clock = createManualClock();
  const servers = new UnreachableServers(clock);
  servers.add("a.example", gone, 5_000, 60_000);
  clock.advance(1_900);
  const error = assertThrows(() => servers.check("a.example"), UpstreamError);
  assertEquals([error.hop, error.message], [
    "tcp",
    "cannot connect to 192.0.2.1:8448 (ECONNREFUSED) (not tried again for 3.1 s)",
  ]);
  servers.check("b.example");
  servers.check("A.example");
});

Deno.test("UnreachableServers gives the operator's own server the same second each time", () => {
  const clock = createManualClock();
  const servers = new UnreachableServers(clock);
  const times = [1, 2, 3].map(() => {
    servers.add("a.example", gone, 1_000, 1_000);
    return remembered(servers, clock);
  });
  assertEquals(times, [1_000, 1_000, 1_000]);
});
