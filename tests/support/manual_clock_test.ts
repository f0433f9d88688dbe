import { assertEquals } from "@std/assert";
import { withDeadline } from "../../lib/deadline.ts";
import { createManualClock } from "./manual_clock.ts";

Deno.test("createManualClock() runs due actions in order, each at its own moment", () => {
  const clock = createManualClock();
  const seen: [string, number][] = [];
  const see = (name: string) => () => void seen.push([name, clock.monotonic()]);
  clock.after(20, see("second"));
  clock.after(10, see("first"));
  clock.after(20, see("third"));
  clock.after(0, see("at once"));
  clock.after(-5, see("overdue"));
  clock.after(31, see("not yet"));
  assertEquals(seen, []);
  clock.advance(30);
  assertEquals(seen, [["at once", 0], ["overdue", 0], ["first", 10], ["second", 20], [
    "third",
    20,
  ]]);
  assertEquals([clock.monotonic(), clock.pending], [30, [1]]);
});

Deno.test("createManualClock() runs what due actions set, within the same span only", () => {
  const clock = createManualClock();
  const seen: number[] = [];
  const again = () => {
    seen.push(clock.monotonic());
    clock.after(10, again);
  };
  clock.after(10, again);
  clock.advance(35);
  assertEquals([seen, clock.pending], [[10, 20, 30], [5]]);
});

Deno.test("createManualClock() calls actions off, harmlessly also afterwards", () => {
  const clock = createManualClock();
  let runs = 0;
  const action = () => void runs++;
  const cancelFirst = clock.after(10, action);
  const cancelSecond = clock.after(10, action);
  cancelFirst();
  cancelFirst();
  clock.advance(10);
  cancelSecond();
  assertEquals([runs, clock.pending], [1, []]);
});

Deno.test("createManualClock() lets the time of day jump without touching deadlines", () => {
  const clock = createManualClock(1_000);
  assertEquals([clock.now(), clock.monotonic()], [1_000, 0]);
  clock.after(10, () => {});
  clock.advance(4);
  clock.setNow(50);
  assertEquals([clock.now(), clock.monotonic(), clock.pending], [50, 4, [6]]);
  clock.advance(1);
  assertEquals(clock.now(), 51);
});

Deno.test("createManualClock() tells when somebody waits for a certain time", async () => {
  const clock = createManualClock();
  let isSet = false;
  const waiting = clock.waitForTimer(250).then(() => isSet);
  clock.after(100, () => {});
  await Promise.resolve();
  isSet = true;
  clock.after(250, () => {});
  assertEquals(await waiting, true);
  await clock.waitForTimer(100);
});

Deno.test("createManualClock() serves withDeadline()", async () => {
  const clock = createManualClock();
  const never = new Promise<never>(() => {});
  const waiting = withDeadline(never, 1000, clock, () => new RangeError("late"))
    .catch((error) => error.message);
  clock.advance(1000);
  assertEquals(await waiting, "late");
});
