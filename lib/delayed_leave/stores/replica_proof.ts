/** Whether this replica can be sure that its jobs are still its own. */

import type { Clock } from "../../clock.ts";
import type { Act } from "../store.ts";

/** How long things last that replicas rely on; all in milliseconds. */
export interface ProofTimes {
  /** How long others wait for a replica's next sign of life before they take its jobs. */
  readonly leaseMs: number;
  /** How often a sign of life is given. */
  readonly renewMs: number;
  /** How long sends are held back at most, once the proof has lapsed. */
  readonly holdMs: number;
}

/** A moment on both clocks. */
export interface Moment {
  /** Milliseconds of the monotonic clock. */
  readonly at: number;
  /** Milliseconds that the monotonic clock has missed in all so far. */
  readonly missed: number;
}

/**
 * A replica's proof that its jobs are its own: it gave a sign of life less than
 * a lease ago, so nobody has taken them. What holds when the proof has lapsed
 * depends on why.
 *
 * **The process was stopped** (SIGSTOP, a suspended machine): others may have
 * taken the jobs long ago, and nothing here knows better than they. Nothing may
 * be done until a new sign of life has been given and it has been checked whose
 * the jobs are now. A stop shows as a gap between two looks at the clocks, and
 * every question looks, since it may come before any timer does. Both clocks
 * are looked at: the monotonic one stands still on a suspended machine. The
 * time of day being set looks like a stop, too; a new proof then costs a
 * question to Redis.
 *
 * **Redis does not answer, though this process runs and asks**: a frozen or
 * dead Redis must not lose a job, as all replicas may be in the same plight.
 *
 * - Restarts go on. Should another replica do the same, the event is restarted
 *   twice, which changes nothing.
 * - Sends go on while no other replica was known at the last contact. Otherwise
 *   they are held back, since others may reach Redis and take the jobs; but not
 *   for ever, or a user would stay in the call for an outage's length. After
 *   {@linkcode ProofTimes.holdMs} they go on: should another replica have sent,
 *   the homeserver no longer knows the event and answers 404.
 */
export class ReplicaProof {
  readonly #clock: Clock;
  readonly #times: ProofTimes;
  readonly #stopMs: number;
  #seen: { at: number; now: number };
  #missed = 0;
  #proven: Moment;
  #isStopped = false;

  constructor(clock: Clock, times: ProofTimes) {
    this.#clock = clock;
    this.#times = times;
    // With Redis in order, a proof is as old as the time between two renewals at most, so only a
    // longer gap than the rest makes it lapse; shorter ones are a busy machine.
    this.#stopMs = (times.leaseMs - times.renewMs) * 2 / 3;
    this.#seen = { at: clock.monotonic(), now: clock.now() };
    this.#proven = this.moment();
  }

  /** Looks at the clocks; several times a lease, so that what is no stop does not look like one. */
  look(): void {
    const at = this.#clock.monotonic();
    const now = this.#clock.now();
    const ran = at - this.#seen.at;
    const passed = now - this.#seen.now;
    this.#seen = { at, now };
    // A clock set back says nothing; small differences are the drift of one against the other.
    if (passed - ran >= this.#stopMs) this.#missed += passed - ran;
    if (Math.max(ran, passed) >= this.#stopMs && this.#age() >= this.#times.leaseMs) {
      this.#isStopped = true;
    }
  }

  /** The moment to hand to {@linkcode ReplicaProof.renew}, taken before a sign of life is given. */
  moment(): Moment {
    this.look();
    return { at: this.#clock.monotonic(), missed: this.#missed };
  }

  /**
   * Notes a sign of life, after it has been checked whose the jobs are.
   *
   * @param given When it was given; one that took a lease to arrive proves nothing.
   */
  renew(given: Moment): void {
    this.look();
    this.#proven = given;
    if (this.isValid) this.#isStopped = false;
  }

  /** Whether the last sign of life still counts. */
  get isValid(): boolean {
    this.look();
    return this.#age() < this.#times.leaseMs;
  }

  /** Whether the process was stopped for so long that others may run its jobs by now. */
  get isStopped(): boolean {
    this.look();
    return this.#isStopped;
  }

  /**
   * See {@linkcode ReplicaProof}.
   *
   * @param hasOthers Whether other replicas are known.
   */
  mayAct(act: Act, hasOthers: boolean): boolean {
    if (this.isStopped) return false;
    const age = this.#age();
    if (age < this.#times.leaseMs || act === "restart" || !hasOthers) return true;
    return age >= this.#times.leaseMs + this.#times.holdMs;
  }

  #age(): number {
    const { at, missed } = this.#proven;
    return this.#clock.monotonic() - at + this.#missed - missed;
  }
}
