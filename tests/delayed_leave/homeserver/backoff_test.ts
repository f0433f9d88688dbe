import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { retryDelayMs } from "../../../lib/delayed_leave/homeserver/backoff.ts";

const HOUR_MS = 3_600_000;

Deno.test("retryDelayMs() grows by half each time, to a minute", () => {
  const delays = Array.from({ length: 16 }, (_, i) => retryDelayMs(i + 1, 24 * HOUR_MS, 0.5));
  assertEquals(delays.slice(0, 5), [200, 300, 450, 675, 1012.5]);
  assertEquals(delays.slice(-2).map(Math.round), [58_386, 60_000]);
  assertEquals(retryDelayMs(100_000, 24 * HOUR_MS, 0.5), 60_000);
});

Deno.test("retryDelayMs() is spread by half to either side", () => {
  assertEquals([retryDelayMs(1, HOUR_MS, 0), retryDelayMs(1, HOUR_MS, 1)], [100, 300]);
});

Deno.test("retryDelayMs() leaves time for more attempts", () => {
  assertEquals([8_000, 1_600, 100, -1].map((left) => retryDelayMs(20, left, 0.5)), [
    1_000,
    200,
    200,
    200,
  ]);
  // As many as that fit between a restart at 60 % of 30 s and its end, however unlucky the jitter.
  let [left, attempts] = [12_000, 1];
  for (;;) {
    const delay = retryDelayMs(attempts, left, 0.999);
    if (delay >= left) break;
    left -= delay;
    attempts++;
  }
  assert(attempts >= 20, `${attempts} attempts`);
});

Deno.test("retryDelayMs() stays within its bounds", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 10_000 }),
    fc.integer({ min: -HOUR_MS, max: 24 * HOUR_MS }),
    fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    (failures, msLeft, random) => {
      const ms = retryDelayMs(failures, msLeft, random);
      assert(ms >= 100 && ms <= 60_000 && ms <= Math.max(200, msLeft / 8), `${ms}`);
    },
  ));
});
