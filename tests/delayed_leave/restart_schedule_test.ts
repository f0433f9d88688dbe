import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  patienceOf,
  restartAfterMs,
  sendBudgetMs,
} from "../../lib/delayed_leave/restart_schedule.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

// Delay, the latest and the earliest restart.
const schedule: [number, number, number][] = [
  [1, 250, 250],
  [250, 250, 250],
  [400, 250, 250],
  [500, 300, 250],
  [1_000, 600, 500],
  [8_000, 4_800, 4_000],
  [10_000, 6_000, 5_000],
  [30_000, 18_000, 15_000],
  [45_000, 27_000, 22_500],
  [60_000, 40_000, 34_000],
  [100_000, 80_000, 70_000],
  [300_000, 252_000, 222_000],
  [HOUR_MS, 3_024_000, 2_664_000],
  [DAY_MS, 72_576_000, 63_936_000],
];
for (const [delay, latest, earliest] of schedule) {
  Deno.test(`restartAfterMs() spreads restarts of ${delay} ms over ${earliest} to ${latest}`, () => {
    assertEquals([0, 1].map((random) => Math.round(restartAfterMs(delay, () => random))), [
      latest,
      earliest,
    ]);
  });
}

Deno.test("restartAfterMs() is in the second half, before 85 %, and leaves time to try", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: DAY_MS }),
    fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    (delay, random) => {
      const ms = restartAfterMs(delay, () => random);
      assert(ms >= 250, `${ms}`);
      if (delay >= 500) assert(ms >= delay / 2 - 1e-6 && ms < delay * 0.85, `${ms} of ${delay}`);
      if (delay >= 50_000) assert(delay - ms >= 8_000 && delay - ms >= delay * 0.15, `${ms}`);
      if (delay >= 50_000 && delay <= 125_000) assert(delay - ms >= 20_000 - 1e-6, `${ms}`);
    },
  ));
});

Deno.test("restartAfterMs() of those who joined together drifts apart", () => {
  // A tenth of the delay each: after some rounds nobody is in step any more.
  const random = () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
  let seed = 1;
  const times = Array.from({ length: 1_000 }, () => {
    let at = 0;
    for (let round = 0; round < 10; round++) at += restartAfterMs(60_000, random);
    return at;
  });
  const seconds = new Map<number, number>();
  for (const time of times) {
    const second = Math.floor(time / 1_000);
    seconds.set(second, (seconds.get(second) ?? 0) + 1);
  }
  assert(Math.max(...seconds.values()) < 100, `${[...seconds.values()]}`);
});

Deno.test("patienceOf() a stand-alone job ends with the event, after an hour at most", () => {
  const delays = [-1, 1, HOUR_MS - 1, HOUR_MS, DAY_MS];
  assertEquals(delays.map((delay) => patienceOf({}, 7, 7 + delay)), [
    { until: 6, untilAtMost: 6 },
    { until: 8, untilAtMost: 8 },
    { until: 7 + HOUR_MS - 1, untilAtMost: 7 + HOUR_MS - 1 },
    { until: 7 + HOUR_MS, untilAtMost: 7 + HOUR_MS },
    { until: 7 + HOUR_MS, untilAtMost: 7 + DAY_MS },
  ]);
});

Deno.test("patienceOf() a job through the homeserver does not depend on the delay", () => {
  const patience = { until: 7 + 600_000, untilAtMost: 7 + HOUR_MS };
  for (const delay of [-1, 1, HOUR_MS, DAY_MS]) {
    assertEquals(patienceOf({ isThroughHomeserver: true }, 7, 7 + delay), patience);
  }
});

Deno.test("sendBudgetMs() lies between a second and an hour", () => {
  assertEquals([-DAY_MS, 0, 999, 1_001, HOUR_MS, DAY_MS].map(sendBudgetMs), [
    1_000,
    1_000,
    1_000,
    1_001,
    HOUR_MS,
    HOUR_MS,
  ]);
});
