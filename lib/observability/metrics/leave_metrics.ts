/** How delayed leaves are doing: how many there are, and whether homeservers take them in time. */

import type { Clock } from "../../clock.ts";
import { Counter, Gauge, Histogram, type Metric } from "./metric.ts";

/** An action on a delayed event, as far as it is counted. */
export interface CountedAction {
  readonly act: "restart" | "send";
  /** For a restart: when the homeserver sends the event by itself; of the monotonic clock. */
  readonly deadline: number;
  readonly job: { readonly delayTimeoutMs: number };
}

/** Jobs by what they do at the moment. */
export type LeaveCounts = Readonly<Record<"waiting" | "connected" | "sending", number>>;

/** `gone` is none for a send: then there is nothing left to do. */
const RESULTS = ["done", "gone", "refused", "timed_out", "unresolved", "cancelled"];
/** From the moment when the departure was certain. */
const LATE_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];
/** A restart comes with a fifth or more of the delay left, when all goes well. */
const MARGINS = [0.01, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1];
const NOBODY: LeaveCounts = { waiting: 0, connected: 0, sending: 0 };

/** Watches the leaves, and has the metrics of them. */
export class LeaveMetrics {
  readonly metrics: readonly Metric[];

  readonly #clock: Clock;
  /** When the sends under way have begun, the earliest first. */
  readonly #sending = new Set<{ readonly since: number }>();
  #count = (): LeaveCounts => NOBODY;

  readonly #restarts = new Counter({
    name: "matrixrtc_auth_restarts_total",
    help:
      "Restarts of delayed leave events that have come to an end, their attempts taken together.",
    labels: { result: RESULTS },
  });
  readonly #margin = new Histogram({
    name: "matrixrtc_auth_restart_margin_ratio",
    help: "Which part of the delay was left when a restart was done.",
    bounds: MARGINS,
  });
  readonly #sends = new Counter({
    name: "matrixrtc_auth_sends_total",
    help: "Leaves that were to be sent, by how that ended, their attempts taken together.",
    labels: { result: RESULTS.filter((result) => result !== "gone") },
  });
  readonly #lateness = new Histogram({
    name: "matrixrtc_auth_send_lateness_seconds",
    help: "From the moment when a departure was certain until the homeserver had the leave.",
    bounds: LATE_SECONDS,
  });

  constructor(clock: Clock) {
    this.#clock = clock;
    this.metrics = [
      new Gauge({
        name: "matrixrtc_auth_delayed_leaves",
        help: "Delayed leave events in this process's care, by where their participant stands.",
        labels: { state: Object.keys(NOBODY) },
        read: () => this.#count(),
      }),
      this.#restarts,
      this.#margin,
      this.#sends,
      this.#lateness,
      new Gauge({
        name: "matrixrtc_auth_send_waiting_seconds",
        help: "How long the oldest leave has been waiting to be sent; 0 for none.",
        read: () => {
          const [oldest] = this.#sending;
          return oldest === undefined ? 0 : (clock.monotonic() - oldest.since) / 1000;
        },
      }),
    ];
  }

  /** Tells who counts the jobs. */
  countWith(count: () => LeaveCounts): void {
    this.#count = count;
  }

  /** Makes a function that does the same and is counted. */
  watchActions<Action extends CountedAction, Result extends string>(
    perform: (action: Action) => Promise<Result>,
  ): (action: Action) => Promise<Result> {
    return (action) =>
      action.act === "send" ? this.#send(action, perform) : perform(action).then(
        (result) => {
          this.#onRestarted(action, result);
          return result;
        },
      );
  }

  async #send<Action extends CountedAction, Result extends string>(
    action: Action,
    perform: (action: Action) => Promise<Result>,
  ): Promise<Result> {
    const begun = { since: this.#clock.monotonic() };
    this.#sending.add(begun);
    try {
      const result = await perform(action);
      this.#sends.add(labelOf(result));
      if (result === "done") {
        this.#lateness.observe((this.#clock.monotonic() - begun.since) / 1000);
      }
      return result;
    } finally {
      this.#sending.delete(begun);
    }
  }

  #onRestarted({ deadline, job }: CountedAction, result: string): void {
    this.#restarts.add(labelOf(result));
    if (result !== "done") return;
    const msLeft = Math.max(deadline - this.#clock.monotonic(), 0);
    this.#margin.observe(msLeft / job.delayTimeoutMs);
  }
}

function labelOf(result: string): string {
  return result.replaceAll("-", "_");
}
