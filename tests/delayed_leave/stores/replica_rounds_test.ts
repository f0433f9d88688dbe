import { assertEquals } from "@std/assert";
import { Rounds } from "../../../lib/delayed_leave/stores/replica_rounds.ts";
import { createManualClock } from "../../support/manual_clock.ts";

/** Rounds of three seconds whose outcome a test decides. */
function createRounds(random = () => 0.999) {
  const clock = createManualClock();
  const state = { count: 0, outcome: () => Promise.resolve(false) };
  const rounds = new Rounds({
    clock,
    random,
    everyMs: 3_000,
    run: () => {
      state.count++;
      return state.outcome();
    },
  });
  rounds.start();
  return { clock, rounds, state };
}

Deno.test("Rounds: one after the other, at equal distances", async () => {
  const { clock, state } = createRounds();
  for (let n = 1; n < 4; n++) {
    clock.advance(3_000);
    assertEquals(state.count, n);
    await clock.waitForTimer(3_000);
  }
});

Deno.test("Rounds: whoever wants one gets it soon, and many get one", async () => {
  const { clock, rounds, state } = createRounds();
  for (let n = 0; n < 10; n++) {
    rounds.want();
    clock.advance(2);
  }
  assertEquals(state.count, 0);
  // Asking again and again puts nothing off.
  clock.advance(5);
  assertEquals(state.count, 1);
  await clock.waitForTimer(3_000);
});

Deno.test("Rounds: what is wanted during one is done in the next", async () => {
  const { clock, rounds, state } = createRounds();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  state.outcome = () => promise;
  clock.advance(3_000);
  rounds.want();
  clock.advance(60_000);
  assertEquals(state.count, 1);
  resolve(false);
  await clock.waitForTimer(25);
  assertEquals(clock.pending, [25]);
});

Deno.test("Rounds: after failures the pauses grow, and nobody can shorten them", async () => {
  const { clock, rounds, state } = createRounds(() => 0);
  state.outcome = () => Promise.reject(new Error("no"));
  clock.advance(3_000);
  for (const ms of [25, 50, 100, 200, 400, 800, 1_000, 1_000]) {
    await clock.waitForTimer(ms);
    rounds.want();
    assertEquals(clock.pending, [ms]);
    clock.advance(ms);
  }
  assertEquals(state.count, 9);
  state.outcome = () => Promise.resolve(false);
  await clock.waitForTimer(1_000);
  clock.advance(1_000);
  await clock.waitForTimer(3_000);
});

Deno.test("Rounds: none after the end", async () => {
  const { clock, rounds, state } = createRounds();
  rounds.stop();
  rounds.want();
  assertEquals(clock.pending, []);
  const other = createRounds();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  other.state.outcome = () => promise;
  other.clock.advance(3_000);
  other.rounds.stop();
  resolve(true);
  await promise;
  await Promise.resolve();
  assertEquals([other.clock.pending, state.count, other.state.count], [[], 0, 1]);
});
