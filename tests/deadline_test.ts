import { assertEquals, assertRejects } from "@std/assert";
import { withDeadline } from "../lib/deadline.ts";
import { createManualClock } from "./support/manual_clock.ts";

const late = () => new RangeError("too late");

Deno.test("withDeadline() passes a result on and calls the deadline off", async () => {
  const clock = createManualClock();
  assertEquals(await withDeadline(Promise.resolve(1), 1_000, clock, late), 1);
  assertEquals(clock.pending, []);
});

Deno.test("withDeadline() passes an error on and calls the deadline off", async () => {
  const clock = createManualClock();
  const failing = Promise.reject(new TypeError("bug"));
  await assertRejects(() => withDeadline(failing, 1_000, clock, late), TypeError, "bug");
  assertEquals(clock.pending, []);
});

Deno.test("withDeadline() ends the waiting exactly then, and not before", async () => {
  const clock = createManualClock();
  let outcome = "waiting";
  const waiting = withDeadline(new Promise(() => {}), 1_000, clock, late)
    .catch((error) => outcome = error.message);
  clock.advance(999);
  await Promise.resolve();
  assertEquals(outcome, "waiting");
  clock.advance(1);
  await waiting;
  assertEquals(outcome, "too late");
});

Deno.test("withDeadline() makes no error for nothing, and swallows what comes too late", async () => {
  const clock = createManualClock();
  let made = 0;
  const { promise, reject } = Promise.withResolvers<void>();
  const waiting = withDeadline(promise, 0, clock, () => {
    made++;
    return late();
  });
  assertEquals(made, 0);
  clock.advance(0);
  await assertRejects(() => waiting, RangeError);
  // Nobody waits for it any more: it must not come up as an unhandled rejection.
  reject(new TypeError("later still"));
  await promise.catch(() => {});
  assertEquals(made, 1);
});
