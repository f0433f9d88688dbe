/** All metrics of the service; loaded only where they are asked for. */

import type { Clock } from "../../clock.ts";
import type { Config } from "../../config/config.ts";
import { ownServers } from "../../config/own_servers.ts";
import { Gauge, Info, type Metric } from "./metric.ts";
import { LeaveMetrics } from "./leave_metrics.ts";
import { StepMetrics } from "./step_metrics.ts";

/** What is known of the process that no part of the service knows. */
export interface ProcessFacts {
  readonly version: string;
  /** Deno's. */
  readonly runtime: string;
  /** Bytes. */
  residentMemory(): number;
  /** Of user and system, since the start. */
  cpuSeconds(): number;
}

/** The metrics, and who has to tell them what happens. */
export interface Metrics {
  readonly steps: StepMetrics;
  readonly leaves: LeaveMetrics;
  /** All of them, as Prometheus takes them: `text/plain; version=0.0.4`. */
  render(): string;
}

/** Makes them. */
export function createMetrics(
  config: Pick<Config, "fullAccess" | "federationUrlOverrides" | "appService">,
  clock: Clock,
  facts: ProcessFacts,
): Metrics {
  const steps = new StepMetrics({ clock, isOwn: ownServers(config) });
  const leaves = new LeaveMetrics(clock);
  const metrics = [...steps.metrics, ...leaves.metrics, ...processMetrics(clock, facts)];
  return {
    steps,
    leaves,
    render: () => metrics.map((metric) => metric.render()).join(""),
  };
}

function processMetrics(clock: Clock, facts: ProcessFacts): Metric[] {
  const startedAt = (clock.now() - clock.monotonic()) / 1000;
  const { version, runtime } = facts;
  return [
    new Info({
      name: "matrixrtc_auth_build_info",
      help: "Always 1; the labels tell which version runs.",
    }, { version, runtime }),
    new Gauge({
      name: "process_resident_memory_bytes",
      help: "Resident memory.",
      read: () => facts.residentMemory(),
    }),
    new Gauge({
      name: "process_cpu_seconds_total",
      help: "Processor time of user and system.",
      type: "counter",
      read: () => facts.cpuSeconds(),
    }),
    new Gauge({
      name: "process_start_time_seconds",
      help: "When the process started, since the Unix epoch.",
      read: () => startedAt,
    }),
  ];
}
