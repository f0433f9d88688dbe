import { assertEquals } from "@std/assert";
import { RollCall } from "../../../lib/delayed_leave/stores/replica_roll_call.ts";
import { createManualClock } from "../../support/manual_clock.ts";

const EXPECTED = new Set(["a", "b", "c"]);

function createWorld() {
  const clock = createManualClock();
  const rollCall = new RollCall(clock);
  return { clock, rollCall };
}

Deno.test("RollCall finds all missing at once when nobody has heard", async () => {
  const { clock, rollCall } = createWorld();
  assertEquals(await rollCall.missing(EXPECTED, () => Promise.resolve(0)), ["a", "b", "c"]);
  assertEquals(clock.pending, []);
});

Deno.test("RollCall misses nobody when as many have heard as there should be", async () => {
  const { clock, rollCall } = createWorld();
  assertEquals(await rollCall.missing(EXPECTED, () => Promise.resolve(3)), []);
  assertEquals(clock.pending, []);
});

Deno.test("RollCall does not call where nobody is expected", async () => {
  const { rollCall } = createWorld();
  const call = () => Promise.reject(new Error("called"));
  assertEquals(await rollCall.missing(new Set(), call), []);
});

Deno.test("RollCall finds who has not answered once all who have heard have", async () => {
  const { rollCall } = createWorld();
  const missing = rollCall.missing(EXPECTED, () => {
    // An answer may be faster than the count.
    rollCall.answer("b");
    return Promise.resolve(2);
  });
  await Promise.resolve();
  await Promise.resolve();
  rollCall.answer("newcomer");
  assertEquals(await missing, ["a", "c"]);
});

Deno.test("RollCall takes nobody for gone while somebody has heard and does not answer", async () => {
  const { clock, rollCall } = createWorld();
  const waiting = clock.waitForTimer(1_000);
  const missing = rollCall.missing(EXPECTED, () => Promise.resolve(2));
  await waiting;
  rollCall.answer("a");
  clock.advance(1_000);
  assertEquals(await missing, []);
});
