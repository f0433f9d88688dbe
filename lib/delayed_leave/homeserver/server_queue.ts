import type { Logger } from "@logtape/logtape";
import TinyQueue from "tinyqueue";
import type { Clock } from "../../clock.ts";
import { UpstreamError } from "../../matrix/errors.ts";
import { retryDelayMs } from "./backoff.ts";
import type { Attempt, Outcome } from "./delayed_events.ts";
import type { ActionResult, HomeserverAction } from "../homeserver_action.ts";
import { ServerHealth } from "./server_health.ts";
import { ServerPace } from "./server_pace.ts";
import type { Act } from "../store.ts";

/** What queues need. */
export interface QueueOptions {
  readonly attempt: Attempt;
  readonly clock: Clock;
  /** A number in [0, 1), to spread attempts. */
  readonly random: () => number;
  /** Whether this process may act right now. What it may not do waits, its deadline does not. */
  readonly mayAct: (act: Act) => boolean;
  readonly log: Logger;
}

interface Entry {
  readonly action: HomeserverAction;
  readonly resolve: (result: ActionResult) => void;
  /** From here on it is tried whatever the pace: shortly before its deadline. */
  readonly lastChanceAt: number;
  /** While waiting: until when. */
  dueAt: number;
  wasTried: boolean;
  /** In a row. */
  failures: number;
  isUnresolved: boolean;
}

const LONGEST_ATTEMPT_MS = 5_000;
const SHORTEST_ATTEMPT_MS = 50;
/** No attempt may take a larger part of the time that is left: two more shall be possible. */
const PART_OF_TIME_LEFT = 1 / 3;
/** A leave whose time is over is tried once all the same. */
const OVERDUE_ATTEMPT_MS = 1_000;
const LONGEST_LAST_CHANCE_MS = 1_000;
const LAST_CHANCE_PART = 1 / 4;
const ASK_AGAIN_MS = 250;
/** Even a server that says "at once" is given a moment. */
const SHORTEST_TOLD_MS = 100;
const TELL_OF_LIMITS_EVERY_MS = 3_600_000;

const ACTS: readonly Act[] = ["send", "restart"];
const byDeadline = (a: Entry, b: Entry) => a.action.deadline - b.action.deadline;
const byDueTime = (a: Entry, b: Entry) => a.dueAt - b.dueAt;

/**
 * The actions for one server: sends before restarts, the earliest deadline
 * first, a limited number at once and as fast as the server takes them.
 *
 * One timer at most; none while there is nothing to wait for.
 */
export class ServerQueue {
  readonly #serverName: string;
  readonly #options: QueueOptions;
  readonly #onIdle: () => void;
  readonly #pace = new ServerPace();
  readonly #health: ServerHealth;
  /** Those that could be tried now. */
  readonly #ready: Readonly<Record<Act, TinyQueue<Entry>>> = {
    send: new TinyQueue<Entry>([], byDeadline),
    restart: new TinyQueue<Entry>([], byDeadline),
  };
  /** Those that have failed, and wait for their next attempt. */
  readonly #waiting = new TinyQueue<Entry>([], byDueTime);
  #inFlight = 0;
  #wakeAt = Infinity;
  #cancelWake = () => {};
  #toldOfLimitsAt = -Infinity;

  /** @param onIdle Called when nothing is left to do. */
  constructor(serverName: string, options: QueueOptions, onIdle: () => void) {
    this.#serverName = serverName;
    this.#options = options;
    this.#onIdle = onIdle;
    this.#health = new ServerHealth(serverName, options.log);
  }

  /** Whether something has been learnt of the server that the next action should know. */
  hasMemory(now: number): boolean {
    return !this.#pace.isFree(now) || !this.#health.isWell ||
      now - this.#toldOfLimitsAt < TELL_OF_LIMITS_EVERY_MS;
  }

  /** Takes an action on. */
  add(action: HomeserverAction, resolve: (result: ActionResult) => void): void {
    const now = this.#options.clock.monotonic();
    const chanceMs = Math.max(
      Math.min((action.deadline - now) * LAST_CHANCE_PART, LONGEST_LAST_CHANCE_MS),
      SHORTEST_ATTEMPT_MS,
    );
    this.#ready[action.act].push({
      action,
      resolve,
      lastChanceAt: action.deadline - chanceMs,
      dueAt: 0,
      wasTried: false,
      failures: 0,
      isUnresolved: false,
    });
    this.#goOn(now);
  }

  #goOn(now: number): void {
    while (this.#waiting.length > 0 && this.#waiting.peek()!.dueAt <= now) {
      const entry = this.#waiting.pop()!;
      this.#ready[entry.action.act].push(entry);
    }
    let wakeAt = Infinity;
    for (const act of ACTS) wakeAt = Math.min(wakeAt, this.#startReady(act, now));
    if (this.#waiting.length > 0) wakeAt = Math.min(wakeAt, this.#waiting.peek()!.dueAt);
    this.#wake(wakeAt, now);
    if (wakeAt === Infinity && this.#inFlight === 0) this.#onIdle();
  }

  /** @returns When to look again, unless an attempt ends before; Infinity for no need to. */
  #startReady(act: Act, now: number): number {
    const queue = this.#ready[act];
    if (queue.length === 0) return Infinity;
    const mayAct = this.#options.mayAct(act);
    for (let entry = queue.peek(); entry !== undefined; entry = queue.peek()) {
      const { deadline } = entry.action;
      const isOver = now >= deadline;
      if (isOver && (act === "restart" || entry.wasTried)) this.#giveUp(queue.pop()!);
      else if (!mayAct) {
        if (!isOver) return Math.min(deadline, now + ASK_AGAIN_MS);
        // It has one attempt left to it, and must not stand before those that may end now.
        this.#wait(queue.pop()!, now + ASK_AGAIN_MS);
      } else if (this.#inFlight >= this.#health.maxInFlight) return isOver ? Infinity : deadline;
      else {
        const opensAt = this.#pace.opensAt(now);
        if (opensAt > now && now < entry.lastChanceAt) return Math.min(opensAt, entry.lastChanceAt);
        queue.pop();
        if (entry.action.isWanted()) this.#start(entry, now);
        else entry.resolve("cancelled");
      }
    }
    return Infinity;
  }

  #start(entry: Entry, now: number): void {
    const { job, act, deadline } = entry.action;
    const msLeft = deadline - now;
    const timeoutMs = msLeft <= 0 ? OVERDUE_ATTEMPT_MS : Math.max(
      Math.min(msLeft * PART_OF_TIME_LEFT, LONGEST_ATTEMPT_MS),
      SHORTEST_ATTEMPT_MS,
    );
    entry.wasTried = true;
    this.#inFlight++;
    this.#pace.begin(now);
    this.#options.attempt(job, act, timeoutMs).then(
      (outcome) => this.#onOutcome(entry, outcome, now),
      (cause) => {
        // A bug; the place in the queue is given back all the same.
        const error = new UpstreamError("http", "an attempt broke down", { cause });
        this.#onOutcome(entry, { kind: "failed", error, isUnresolved: false }, now);
      },
    );
  }

  #onOutcome(entry: Entry, outcome: Outcome, begunAt: number): void {
    const now = this.#options.clock.monotonic();
    this.#inFlight--;
    switch (outcome.kind) {
      case "failed":
        this.#health.onFailure(outcome.error, now);
        entry.isUnresolved = outcome.isUnresolved;
        this.#onFailure(entry, now);
        break;
      case "limited":
        this.#health.onAnswer();
        entry.isUnresolved = false;
        this.#onLimited(entry, Math.max(outcome.retryAfterMs, SHORTEST_TOLD_MS), begunAt, now);
        break;
      case "refused":
        this.#options.log.debug("a homeserver refuses an action on a delayed event", {
          server: this.#serverName,
          hop: outcome.error.hop,
        });
        // falls through: it is an answer.
      default:
        this.#health.onAnswer();
        this.#pace.onTaken(now);
        entry.resolve(outcome.kind);
    }
    this.#goOn(now);
  }

  #onFailure(entry: Entry, now: number): void {
    const msLeft = entry.action.deadline - now;
    const delayMs = retryDelayMs(++entry.failures, msLeft, this.#options.random());
    if (!entry.action.isWanted()) entry.resolve("cancelled");
    else if (delayMs >= msLeft) this.#giveUp(entry);
    else this.#wait(entry, now + delayMs);
  }

  #onLimited(entry: Entry, toldMs: number, begunAt: number, now: number): void {
    this.#pace.onLimited(now, begunAt, toldMs);
    this.#tellOfLimits(now);
    entry.failures = 0;
    const toldUntil = now + toldMs;
    // A wait beyond the deadline would be for nothing.
    const dueAt = toldUntil < entry.action.deadline ? toldUntil : entry.lastChanceAt;
    if (!entry.action.isWanted()) entry.resolve("cancelled");
    else if (dueAt <= now) this.#giveUp(entry);
    else this.#wait(entry, dueAt);
  }

  #tellOfLimits(now: number): void {
    if (now - this.#toldOfLimitsAt < TELL_OF_LIMITS_EVERY_MS) return;
    this.#toldOfLimitsAt = now;
    this.#options.log.warning(
      "a homeserver limits how often delayed events are managed; it should allow more " +
        "(Synapse: rc_delayed_event_mgmt)",
      { server: this.#serverName },
    );
  }

  #wait(entry: Entry, dueAt: number): void {
    entry.dueAt = dueAt;
    this.#waiting.push(entry);
  }

  #giveUp(entry: Entry): void {
    entry.resolve(entry.isUnresolved ? "unresolved" : "timed-out");
  }

  /** Sees to it that somebody looks again at a time; an earlier time that is set will do. */
  #wake(at: number, now: number): void {
    if (this.#wakeAt <= at && at !== Infinity) return;
    this.#cancelWake();
    this.#cancelWake = () => {};
    this.#wakeAt = at;
    if (at === Infinity) return;
    // In whole milliseconds: a remainder too small to add to the time would wake us for ever.
    this.#cancelWake = this.#options.clock.after(Math.ceil(at - now), () => {
      this.#wakeAt = Infinity;
      this.#goOn(this.#options.clock.monotonic());
    });
  }
}
