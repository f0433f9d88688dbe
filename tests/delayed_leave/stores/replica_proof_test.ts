import { assertEquals } from "@std/assert";
import { ReplicaProof } from "../../../lib/delayed_leave/stores/replica_proof.ts";
import { createManualClock } from "../../support/manual_clock.ts";

const TIMES = { leaseMs: 9_000, renewMs: 3_000, holdMs: 20_000 };

function createProof() {
  const clock = createManualClock();
  const proof = new ReplicaProof(clock, TIMES);
  /** What may be done: restart and send, for one that knows others and one that does not. */
  const may = () => ({
    alone: [proof.mayAct("restart", false), proof.mayAct("send", false)],
    withOthers: [proof.mayAct("restart", true), proof.mayAct("send", true)],
  });
  /** Lets time pass as it does for a process that runs. */
  const run = (ms: number) => {
    for (let left = ms; left > 0; left -= 1_000) {
      clock.advance(Math.min(left, 1_000));
      proof.look();
    }
  };
  return { clock, proof, may, run };
}

const ALL = { alone: [true, true], withOthers: [true, true] };
const NOTHING = { alone: [false, false], withOthers: [false, false] };
const NO_SEND = { alone: [true, true], withOthers: [true, false] };

Deno.test("ReplicaProof: everything may be done while the lease lasts", () => {
  const { may, run, proof } = createProof();
  for (let n = 0; n < 10; n++) {
    run(8_999);
    assertEquals(may(), ALL);
    proof.renew(proof.moment());
  }
});

Deno.test("ReplicaProof: without Redis, sends are held back when others are known, for a while", () => {
  const { may, run } = createProof();
  run(9_000);
  assertEquals(may(), NO_SEND);
  run(19_999);
  assertEquals(may(), NO_SEND);
  run(1);
  assertEquals(may(), ALL);
});

Deno.test("ReplicaProof: a process that was stopped may do nothing, even before any timer", () => {
  const { clock, proof, may, run } = createProof();
  run(2_000);
  clock.advance(7_000);
  assertEquals(may(), NOTHING);
  // Nor does it get better by waiting.
  run(60_000);
  assertEquals(may(), NOTHING);
  proof.renew(proof.moment());
  assertEquals(may(), ALL);
});

Deno.test("ReplicaProof: a stop that leaves the lease valid changes nothing", () => {
  const { clock, may, run } = createProof();
  run(2_000);
  clock.advance(6_999);
  assertEquals(may(), ALL);
});

Deno.test("ReplicaProof: a sign of life that was given before the stop proves nothing", () => {
  const { clock, proof, may, run } = createProof();
  run(2_000);
  const given = proof.moment();
  clock.advance(9_000);
  proof.renew(given);
  assertEquals(may(), NOTHING);
  proof.renew(proof.moment());
  assertEquals(may(), ALL);
});

Deno.test("ReplicaProof: a suspended machine shows in the time of day alone", () => {
  const { clock, proof, may, run } = createProof();
  run(2_000);
  clock.setNow(clock.now() + 3_600_000);
  assertEquals(may(), NOTHING);
  proof.renew(proof.moment());
  assertEquals(may(), ALL);
  // What the monotonic clock has missed counts against no later sign of life.
  run(8_999);
  assertEquals(may(), ALL);
});

Deno.test("ReplicaProof: what the monotonic clock misses while an answer is on its way counts", () => {
  const { clock, proof, may, run } = createProof();
  run(1_000);
  const given = proof.moment();
  clock.setNow(clock.now() + 9_000);
  proof.renew(given);
  assertEquals(may(), NOTHING);
});

Deno.test("ReplicaProof: the time of day set back, or on by a little, is no stop", () => {
  const { clock, may, run } = createProof();
  clock.setNow(clock.now() - 3_600_000);
  assertEquals(may(), ALL);
  run(4_000);
  clock.setNow(clock.now() + 3_000);
  run(4_900);
  assertEquals(may(), ALL);
});

Deno.test("ReplicaProof: a busy second while Redis is away is no stop", () => {
  const { clock, may, run } = createProof();
  run(8_000);
  clock.advance(3_900);
  assertEquals(may(), NO_SEND);
  clock.advance(3_900);
  assertEquals(may(), NO_SEND);
});

Deno.test("ReplicaProof: a stop while Redis is away is a stop", () => {
  const { clock, may, run } = createProof();
  run(15_000);
  clock.advance(9_000);
  assertEquals(may(), NOTHING);
});
