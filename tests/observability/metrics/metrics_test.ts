import { assertEquals, assertMatch } from "@std/assert";
import type { LeaveWatcher } from "../../../lib/delayed_leave/leave_watcher.ts";
import { createMetrics } from "../../../lib/observability/metrics/metrics.ts";
import { createManualClock } from "../../support/manual_clock.ts";
import { samplesOf } from "./support.ts";

const FACTS = {
  version: "1.2.3",
  runtime: "2.9.6",
  residentMemory: () => 64_000_000,
  cpuSeconds: () => 1.25,
};
const CONFIG = {
  fullAccess: ["full.example"],
  federationUrlOverrides: new Map(),
  appService: undefined as never,
};

Deno.test("createMetrics() tells of the process", () => {
  const clock = createManualClock(1_000_000);
  const metrics = createMetrics(CONFIG, clock, FACTS);
  clock.advance(5_000);
  const samples = samplesOf(metrics.render());
  assertEquals(samples.get('matrixrtc_auth_build_info{version="1.2.3",runtime="2.9.6"}'), 1);
  assertEquals(samples.get("process_resident_memory_bytes"), 64_000_000);
  assertEquals(samples.get("process_cpu_seconds_total"), 1.25);
  assertEquals(samples.get("process_start_time_seconds"), 1_000);
});

Deno.test("createMetrics() counts for who watches steps and who watches leaves", async () => {
  const { leaves, render, steps } = createMetrics(CONFIG, createManualClock(), FACTS);
  const watcher: LeaveWatcher = leaves;
  watcher.countWith(() => ({ waiting: 0, connected: 7, sending: 0 }));
  const facts = { status: 401, hop: "dns", server: "full.example" };
  await steps.watch({ kind: "server", name: "/sfu/get" }, facts, () => Promise.resolve());
  const samples = samplesOf(render());
  assertEquals(samples.get('matrixrtc_auth_delayed_leaves{state="connected"}'), 7);
  assertEquals(
    samples.get('matrixrtc_auth_verification_failures_total{hop="dns",server="own"}'),
    1,
  );
});

Deno.test("createMetrics() writes each line as Prometheus reads it", () => {
  const text = createMetrics(CONFIG, createManualClock(), FACTS).render();
  assertEquals(text.endsWith("\n"), true);
  for (const line of text.trimEnd().split("\n")) {
    assertMatch(
      line,
      /^(# HELP [a-z_]+ [^\\]+\.|# TYPE [a-z_]+ (counter|gauge|histogram)|[a-z_]+(\{[^{}]+\})? [0-9.e+-]+)$/,
    );
  }
});
