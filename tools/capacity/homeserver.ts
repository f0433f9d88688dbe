import type { Clock } from "../../lib/clock.ts";
import type { Attempt, Outcome } from "../../lib/delayed_leave/homeserver/delayed_events.ts";
import type { Act } from "../../lib/delayed_leave/store.ts";
import { Meter } from "./meter.ts";
import type { CallLimit } from "./scenario.ts";

interface Event {
  readonly delayMs: number;
  /** When the homeserver sends it by itself. */
  firesAt: number;
  /** When its user has left the call. */
  leftAt: number;
  wasRestarted: boolean;
}

/**
 * A homeserver behind one HTTP attempt: counts calls, keeps delayed events, and
 * refuses calls as Synapse does. What it sends by itself is found out when
 * somebody asks, so that no timers are needed for that.
 */
export class Homeserver {
  readonly calls: Meter<Act | "limited">;
  /** Events that the homeserver sent by itself while their users were in a call. */
  lost = 0;
  /** Events that have been restarted once at least. */
  restarted = 0;
  /** From a user's leaving to the send that came latest, seconds. */
  longestLeaveSeconds = 0;
  /** How much of its delay had passed at the restart that came latest. */
  latestRestartPercent = 0;
  readonly #clock: Clock;
  readonly #latencyMs: number;
  readonly #limit: CallLimit | undefined;
  readonly #events = new Map<string, Event>();
  #level = 0;
  #levelAt = 0;

  /** @param latencyMs How long each answer takes. */
  constructor(clock: Clock, latencyMs: number, limit: CallLimit | undefined) {
    this.calls = new Meter(clock);
    this.#clock = clock;
    this.#latencyMs = latencyMs;
    this.#limit = limit;
  }

  /** A client schedules its leave, or did so a while ago. */
  schedule(id: string, delayMs: number, agoMs = 0): void {
    const firesAt = this.#clock.monotonic() + delayMs - agoMs;
    this.#events.set(id, { delayMs, firesAt, leftAt: Infinity, wasRestarted: false });
  }

  /** Its user leaves the call, or is still there when the simulation ends. */
  leave(id: string): void {
    const event = this.#events.get(id);
    const now = this.#clock.monotonic();
    if (event === undefined) return;
    if (event.firesAt >= now) event.leftAt = now;
    else {
      this.lost++;
      this.#events.delete(id);
    }
  }

  /** Begins to count anew; events stay. */
  reset(): void {
    this.calls.reset();
    this.longestLeaveSeconds = 0;
    this.latestRestartPercent = 0;
  }

  readonly attempt: Attempt = async (job, act) => {
    await new Promise<void>((resolve) => void this.#clock.after(this.#latencyMs, resolve));
    const retryAfterMs = this.#take();
    if (retryAfterMs > 0) {
      this.calls.count("limited");
      return { kind: "limited", retryAfterMs };
    }
    this.calls.count(act);
    return this.#perform(job.delayId.reveal(), act);
  };

  #perform(id: string, act: Act): Outcome {
    const now = this.#clock.monotonic();
    const event = this.#events.get(id);
    if (event === undefined || event.firesAt < now) {
      if (event?.leftAt === Infinity) this.lost++;
      this.#events.delete(id);
      return { kind: act === "send" ? "done" : "gone" };
    }
    if (act === "send") {
      const seconds = (now - event.leftAt) / 1_000;
      this.longestLeaveSeconds = Math.max(this.longestLeaveSeconds, seconds);
      this.#events.delete(id);
    } else {
      const percent = 100 - (event.firesAt - now) / event.delayMs * 100;
      this.latestRestartPercent = Math.max(this.latestRestartPercent, percent);
      event.firesAt = now + event.delayMs;
      if (!event.wasRestarted) this.restarted++;
      event.wasRestarted = true;
    }
    return { kind: "done" };
  }

  /** Synapse's own arithmetic. @returns Milliseconds to wait, 0 for none; it tells whole seconds. */
  #take(): number {
    if (this.#limit === undefined) return 0;
    const { perSecond, burst } = this.#limit;
    const now = this.#clock.monotonic() / 1_000;
    this.#level = Math.max(this.#level - (now - this.#levelAt) * perSecond, 0);
    this.#levelAt = now;
    if (this.#level <= burst - 1) {
      this.#level++;
      return 0;
    }
    return Math.ceil((this.#level - burst + 1) / perSecond) * 1_000;
  }
}
