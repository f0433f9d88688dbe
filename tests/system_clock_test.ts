import { assert, assertEquals } from "@std/assert";
import { createSystemClock } from "../lib/system_clock.ts";

/** What a timer of the runtime may fire early, by rounding. */
const ROUNDING_MS = 1;

Deno.test("createSystemClock() tells the time of day and one that never jumps", () => {
  const clock = createSystemClock();
  assert(Math.abs(clock.now() - Date.now()) < 1_000);
  const before = clock.monotonic();
  assert(clock.monotonic() >= before);
});

Deno.test("after() fires in order, none before its time", async () => {
  const clock = createSystemClock();
  const startedAt = clock.monotonic();
  const fired: number[] = [];
  await Promise.all(
    [70, 0, 30, -5].map((ms) =>
      new Promise<void>((resolve) =>
        clock.after(ms, () => {
          assert(clock.monotonic() - startedAt >= ms - ROUNDING_MS);
          fired.push(ms);
          resolve();
        })
      )
    ),
  );
  assertEquals(fired.slice(-2), [30, 70]);
  assertEquals(fired.length, 4);
});

Deno.test("after() fires nothing that was called off, however often", async () => {
  const clock = createSystemClock();
  const fired: string[] = [];
  const cancel = clock.after(1, () => fired.push("called off"));
  const action = () => void fired.push("twice the same");
  const cancelOne = clock.after(1, action);
  clock.after(1, action);
  cancel();
  cancel();
  cancelOne();
  await new Promise<void>((resolve) => clock.after(30, resolve));
  cancel();
  assertEquals(fired, ["twice the same"]);
});

Deno.test("after() fires what an action sets", async () => {
  const clock = createSystemClock();
  const fired = await new Promise<string>((resolve) =>
    clock.after(1, () => void clock.after(0, () => resolve("inner")))
  );
  assertEquals(fired, "inner");
});

Deno.test("after() fires the others of a step when one throws", async () => {
  const clock = createSystemClock();
  const reported: unknown[] = [];
  const listener = (event: ErrorEvent) => {
    event.preventDefault();
    reported.push(event.error);
  };
  globalThis.addEventListener("error", listener);
  try {
    const bug = new Error("bug");
    clock.after(1, () => {
      throw bug;
    });
    await new Promise<void>((resolve) => clock.after(1, resolve));
    assertEquals(reported, [bug]);
  } finally {
    globalThis.removeEventListener("error", listener);
  }
});

Deno.test({
  name: "after() does not fire at once what lies beyond the runtime's timers",
  // The timers of the two stay behind for weeks.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const clock = createSystemClock();
    let fired = 0;
    clock.after(2 ** 40, () => fired++);
    clock.after(Infinity, () => fired++);
    await new Promise<void>((resolve) => clock.after(30, resolve));
    assertEquals(fired, 0);
  },
});
