/** What the homeserver stand-in remembers of the users' delayed leave events. */

/** In front of the user's name in every delay ID; as long as those of Synapse. */
export const DELAY_ID_PREFIX = "syd_ofTheLoadRun";
const DIGITS = 8;

/** What has become of all events. */
export interface DelayedEventsTally {
  /** Restarts that counted. */
  restarts: number;
  /** Events that the service sent. */
  sends: number;
  /** Users who were in the call when the homeserver sent their leave, nobody having restarted it. */
  lost: number;
  /** Users who were in the call when the service sent their leave. */
  sentWhilePresent: number;
  /** Sends of what the service had sent before. */
  twice: number;
  /** Users who have left and whose leave the service has not sent. */
  missing: number;
  /** Restarts of what had been sent, by whomever. */
  restartsTooLate: number;
  /** Calls for IDs that nobody was given. */
  unknown: number;
  /** How much of its delay had passed at the restart that came latest. */
  latestRestartPercent: number;
  /** The same of the latest but one in a thousand, rounded up to a tenth. */
  p999RestartPercent: number;
}

/** NONE: not scheduled, or its user was not let in. LOST, FIRED: sent by the homeserver itself. */
const NONE = 0, WAITING = 1, SENT = 2, LOST = 3, FIRED = 4;
/** Ages at restarts are counted by the tenth of a percent. */
const BUCKETS = 1001;

/**
 * Delayed events of numbered users, one each, all with the same delay. An event that nobody
 * restarts is sent by the homeserver itself as soon as its delay has passed; this is worked out
 * when somebody asks, so that no timer of a busy process can be late.
 *
 * Times are milliseconds of whatever clock the caller has.
 *
 * @example Restarted once, then forgotten
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { DelayedEvents } from "./delayed_events.ts";
 *
 * const events = new DelayedEvents(1, 1000);
 * events.schedule(0, 0);
 * assertEquals(events.restart(0, 800), true);
 * assertEquals(events.restart(0, 1800), false);
 * assertEquals(events.tally(1800).lost, 1);
 * assertEquals(events.tally(1800).latestRestartPercent, 80);
 * ```
 */
export class DelayedEvents {
  readonly #delayMs: number;
  readonly #state: Uint8Array;
  readonly #hasLeft: Uint8Array;
  readonly #restartedAt: Float64Array;
  readonly #ages = new Uint32Array(BUCKETS);
  #latest = 0;
  #restarts = 0;
  #sends = 0;
  #lost = 0;
  #sentWhilePresent = 0;
  #twice = 0;
  #restartsTooLate = 0;
  #unknown = 0;
  #lastSendAt = NaN;

  /**
   * @param users How many there will be.
   * @param delayMs Delay of each event.
   */
  constructor(users: number, delayMs: number) {
    this.#delayMs = delayMs;
    this.#state = new Uint8Array(users);
    this.#hasLeft = new Uint8Array(users);
    this.#restartedAt = new Float64Array(users);
  }

  /** When the service last sent an event; `NaN` before. */
  get lastSendAt(): number {
    return this.#lastSendAt;
  }

  /** A user schedules their leave. */
  schedule(user: number, now: number): void {
    this.#state[user] = WAITING;
    this.#restartedAt[user] = now;
  }

  /** A user was not let in: the service owes them nothing. */
  forget(user: number): void {
    this.#state[user] = NONE;
  }

  /** A user has left the call: from now on their leave is due. */
  leave(user: number, now: number): void {
    this.#settle(user, now);
    this.#hasLeft[user] = 1;
  }

  /**
   * The service restarts an event.
   *
   * @returns Whether it could be; the answer is 404 otherwise.
   */
  restart(user: number, now: number): boolean {
    this.#settle(user, now);
    const state = this.#state[user] ?? NONE;
    if (state === NONE) this.#unknown++;
    else if (state !== WAITING) this.#restartsTooLate++;
    if (state !== WAITING) return false;
    const age = (now - this.#restartedAt[user]!) / this.#delayMs;
    this.#ages[Math.floor(age * (BUCKETS - 1))]!++;
    this.#latest = Math.max(this.#latest, age);
    this.#restartedAt[user] = now;
    this.#restarts++;
    return true;
  }

  /**
   * The service sends an event.
   *
   * @returns Whether it could be; the answer is 404 otherwise.
   */
  send(user: number, now: number): boolean {
    this.#settle(user, now);
    const state = this.#state[user] ?? NONE;
    if (state === NONE) this.#unknown++;
    else if (state === SENT) this.#twice++;
    if (state !== WAITING) return false;
    this.#state[user] = SENT;
    this.#sends++;
    if (this.#hasLeft[user] === 0) this.#sentWhilePresent++;
    this.#lastSendAt = now;
    return true;
  }

  /** How many leaves are due and can still be sent by the service. */
  countDue(now: number): number {
    let due = 0;
    for (let user = 0; user < this.#state.length; user++) {
      this.#settle(user, now);
      if (this.#hasLeft[user] === 1 && this.#state[user] === WAITING) due++;
    }
    return due;
  }

  /** What has become of all events by now. */
  tally(now: number): DelayedEventsTally {
    // Whoever was thrown out before is in `lost`, and nothing of theirs is left to send.
    const missing = this.countDue(now) + this.#state.reduce(
      (fired, state) => fired + Number(state === FIRED),
      0,
    );
    return {
      restarts: this.#restarts,
      sends: this.#sends,
      lost: this.#lost,
      sentWhilePresent: this.#sentWhilePresent,
      twice: this.#twice,
      missing,
      restartsTooLate: this.#restartsTooLate,
      unknown: this.#unknown,
      latestRestartPercent: this.#latest * 100,
      p999RestartPercent: this.#ageOf(0.999),
    };
  }

  /** Lets the homeserver send what is overdue. */
  #settle(user: number, now: number): void {
    if (this.#state[user] !== WAITING || now < this.#restartedAt[user]! + this.#delayMs) return;
    if (this.#hasLeft[user] === 1) {
      this.#state[user] = FIRED;
      return;
    }
    this.#state[user] = LOST;
    this.#lost++;
  }

  /** The age in percent that this share of all restarts does not exceed. */
  #ageOf(share: number): number {
    let rank = Math.ceil(this.#restarts * share);
    if (rank === 0) return 0;
    let bucket = -1;
    while (rank > 0) rank -= this.#ages[++bucket]!;
    return (bucket + 1) * 100 / (BUCKETS - 1);
  }
}

/**
 * Finds the user of a delay ID.
 *
 * @returns The user's number; `NaN` when the ID is none of ours.
 */
export function userOfDelayId(delayId: string): number {
  if (!delayId.startsWith(DELAY_ID_PREFIX)) return NaN;
  return Number(delayId.slice(-DIGITS));
}
