import { assertEquals, assertRejects } from "@std/assert";
import {
  type CountedAction,
  LeaveMetrics,
} from "../../../lib/observability/metrics/leave_metrics.ts";
import { createManualClock } from "../../support/manual_clock.ts";
import { countedIn } from "./support.ts";

function createWorld() {
  const clock = createManualClock();
  const leaves = new LeaveMetrics(clock);
  const ends: ReturnType<typeof Promise.withResolvers<string>>[] = [];
  const perform = leaves.watchActions((_action: CountedAction) => {
    const end = Promise.withResolvers<string>();
    ends.push(end);
    return end.promise;
  });
  const begin = (act: CountedAction["act"], msLeft: number) =>
    perform({ act, deadline: clock.monotonic() + msLeft, job: { delayTimeoutMs: 60_000 } });
  return { begin, clock, counted: () => countedIn(leaves.metrics), ends, leaves };
}

Deno.test("LeaveMetrics asks for the jobs when they are to be told", () => {
  const { counted, leaves } = createWorld();
  assertEquals(counted(), {});
  leaves.countWith(() => ({ waiting: 1, connected: 20, sending: 300 }));
  assertEquals(counted(), {
    'matrixrtc_auth_delayed_leaves{state="waiting"}': 1,
    'matrixrtc_auth_delayed_leaves{state="connected"}': 20,
    'matrixrtc_auth_delayed_leaves{state="sending"}': 300,
  });
});

Deno.test("LeaveMetrics tells how much of the delay a restart has left", async () => {
  const { begin, clock, counted, ends } = createWorld();
  const restarting = begin("restart", 15_000);
  clock.advance(9_000);
  ends[0]!.resolve("done");
  assertEquals(await restarting, "done");
  assertEquals(counted(), {
    'matrixrtc_auth_restarts_total{result="done"}': 1,
    matrixrtc_auth_restart_margin_ratio_sum: 0.1,
    matrixrtc_auth_restart_margin_ratio_count: 1,
  });
});

Deno.test("LeaveMetrics tells how late a leave is, while it waits and afterwards", async () => {
  const { begin, clock, counted, ends } = createWorld();
  const first = begin("send", 60_000);
  clock.advance(2_000);
  const second = begin("send", 60_000);
  clock.advance(3_000);
  assertEquals(counted(), { matrixrtc_auth_send_waiting_seconds: 5 });
  ends[0]!.resolve("done");
  await first;
  assertEquals(counted().matrixrtc_auth_send_waiting_seconds, 3);
  ends[1]!.resolve("timed-out");
  assertEquals(await second, "timed-out");
  assertEquals(counted(), {
    'matrixrtc_auth_sends_total{result="done"}': 1,
    'matrixrtc_auth_sends_total{result="timed_out"}': 1,
    matrixrtc_auth_send_lateness_seconds_sum: 5,
    matrixrtc_auth_send_lateness_seconds_count: 1,
  });
});

for (const act of ["restart", "send"] as const) {
  for (const result of ["refused", "timed-out", "unresolved", "cancelled"]) {
    Deno.test(`LeaveMetrics counts a ${act} that is ${result}, and measures nothing`, async () => {
      const { begin, counted, ends } = createWorld();
      const acting = begin(act, 1_000);
      ends[0]!.resolve(result);
      await acting;
      const label = result.replace("-", "_");
      assertEquals(counted(), { [`matrixrtc_auth_${act}s_total{result="${label}"}`]: 1 });
    });
  }
}

Deno.test("LeaveMetrics does not wait for a send that has broken down", async () => {
  const { begin, clock, counted, ends } = createWorld();
  const sending = begin("send", 1_000);
  ends[0]!.reject(new Error("a bug"));
  await assertRejects(() => sending, Error, "a bug");
  clock.advance(1_000);
  assertEquals(counted(), {});
});
