/** One job on its way from the hand-over to the leave. */

import type { Logger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import type { LiveKitIdentity } from "../signing/names.ts";
import { AbsenceCheck, type Doubt, doubtAfter, FOUND_MISSING } from "./absence_check.ts";
import { ArrivalCheck } from "./arrival_check.ts";
import type { ActionResult, PerformAction } from "./homeserver_action.ts";
import type { Job, StoredJob } from "./job.ts";
import type { ParticipantEvent } from "./participant_event.ts";
import { patienceOf, restartAfterMs, sendBudgetMs } from "./restart_schedule.ts";
import type { SfuView, Sighting, WatchedJob } from "./sfu_view.ts";
import { type JobState, nextState, type Signal } from "./state.ts";

/** What all jobs share. */
export interface JobRunnerDeps {
  readonly perform: PerformAction;
  readonly sfu: SfuView;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  /** What a job tells of itself. */
  readonly host: {
    /** There is news to be kept. */
    onChanged(runner: JobRunner): void;
    /** The participant is to be watched from now on, or no longer. */
    onWatched(runner: JobRunner, isWatched: boolean): void;
    /** The job has come to its end. */
    onDone(runner: JobRunner): void;
  };
}

/** Restarts of long delays that fall due within so much time go together, which costs a fifth less. */
const TOGETHER_MS = 200;
const LONG_DELAY_MS = 10_000;
/** Connections whose end is remembered, so that news that come late or twice are recognised. */
const MAX_ENDED = 4;

/** Whoever gives no answer in time may yet have the participant. */
const RESTING: Sighting = { kind: "unknown", everAnswered: true };

/** How a connection of the participant has ended. */
interface EndedConnection {
  readonly sid: string;
  readonly isIntentional: boolean;
}

/**
 * Runs one job: keeps the delayed event alive while the participant is in the
 * call, and has it sent when the participant is gone. A job that came through the
 * homeserver keeps it alive while the participant is awaited, too.
 *
 * Nobody is taken for gone on hearsay. Only hanging up is believed at once; after
 * any other end of a connection the SFU is asked, twice half a second apart, as
 * clients come back under the same identity.
 */
export class JobRunner implements WatchedJob {
  readonly job: Job;
  seenAt = -Infinity;

  readonly #deps: JobRunnerDeps;
  #state: JobState = "WaitingForInitialConnect";
  /** When the homeserver sends the event by itself; milliseconds of the monotonic clock. */
  #deadline: number;
  /** When the event was handed over or restarted last; milliseconds of the monotonic clock. */
  #restartedAt: number;
  #wasConnected: boolean;
  /** Whether a connection has got as far as the call itself. */
  #wasActive: boolean;
  #isStopped = false;
  /** Changes with the state: what was begun in an earlier one finds that it is too late. */
  #epoch = 0;
  #sid: string | undefined;
  #ended: EndedConnection[] | undefined;
  #cancelTimer: (() => void) | undefined;
  /** What looks for the participant: before they come, or while it is not certain that they are there. */
  #check: AbsenceCheck | ArrivalCheck | undefined;

  /**
   * @param stored A new job, or one that was kept; {@linkcode JobRunner.start} sets it going.
   */
  constructor(stored: StoredJob, deps: JobRunnerDeps) {
    this.job = stored.job;
    this.#deps = deps;
    this.#wasConnected = stored.wasConnected;
    this.#wasActive = stored.wasConnected;
    const { clock } = deps;
    // A clock that was set back meanwhile must not lengthen anything.
    const age = Math.max(clock.now() - stored.restartedAt, 0);
    this.#restartedAt = clock.monotonic() - age;
    this.#deadline = this.#restartedAt + stored.job.delayTimeoutMs;
  }

  /** The job as it is to be kept. */
  get stored(): StoredJob {
    const { clock } = this.#deps;
    // By the time of day as it is now, whatever it was then.
    const restartedAt = Math.round(clock.now() - (clock.monotonic() - this.#restartedAt));
    return { job: this.job, restartedAt, wasConnected: this.#wasConnected };
  }

  get state(): JobState {
    return this.#state;
  }

  /** Sets the job going: looks for the participant at once. */
  start(): void {
    if (!this.#wasConnected) {
      this.#await();
      return;
    }
    // It was running before this process was: whoever left meanwhile is to leave now.
    this.#connect(this.#deadline);
    this.#confirm(FOUND_MISSING);
  }

  /** Ends the job without any call: another one, or another replica, has taken over. */
  replace(): void {
    this.#signal("JobReplaced");
  }

  /** Stands still for good, since the process ends; the job goes on elsewhere or later. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelTimers();
  }

  onEvent(event: ParticipantEvent): void {
    if (event.kind === "joined") this.#onJoined(event);
    else this.#onEnded(event);
  }

  onPresent(sid: string): void {
    if (this.#endOf(sid) !== undefined) return;
    this.#see(sid);
    this.#signal("ParticipantLookupSuccessful");
  }

  onAbsent(): void {
    if (this.#state !== "Connected") return;
    // Whoever asks already is told soon, unless there was no answer so far.
    if (this.#absenceCheck?.isUnanswered ?? true) this.#confirm(FOUND_MISSING);
  }

  #onJoined({ sid }: ParticipantEvent): void {
    const end = sid === undefined ? undefined : this.#endOf(sid);
    if (end === undefined) {
      this.#wasActive = true;
      this.#see(sid);
      this.#signal("ParticipantConnected");
      return;
    }
    if (this.#state !== "WaitingForInitialConnect") return;
    // The news of the end overtook that of the beginning.
    this.#signal("ParticipantConnected");
    if (end.isIntentional) this.#signal("ParticipantDisconnectedIntentionally");
    else this.#confirm(doubtAfter("UNKNOWN_REASON"));
  }

  #onEnded({ kind, sid, reason }: ParticipantEvent): void {
    const isIntentional = reason === "CLIENT_INITIATED";
    const isKnown = sid !== undefined && this.#endOf(sid) !== undefined;
    // What is moved to another server may go on there under the same ID.
    if (sid !== undefined && !isKnown && reason !== "MIGRATION") {
      this.#remember({ sid, isIntentional });
    }
    if (this.#state === "WaitingForInitialConnect") {
      // The SFU itself has given the client up. After anything else the client may try again.
      if (kind === "aborted" && reason === "JOIN_FAILURE") {
        this.#signal("ParticipantConnectionAborted");
      }
      return;
    }
    if (this.#state !== "Connected" || isKnown) return;
    const isOther = sid !== undefined && this.#sid !== undefined && sid !== this.#sid;
    // Whoever was found by a look only, since the job came after them, was in the call after all.
    if (kind === "left" && !isOther) this.#wasActive = true;
    if (isIntentional && !isOther) this.#signal("ParticipantDisconnectedIntentionally");
    else if (kind === "aborted" && !this.#wasActive) this.#signal("ParticipantNeverActive");
    else this.#confirm(isOther ? { ...doubtAfter(reason), isTold: false } : doubtAfter(reason));
  }

  get #absenceCheck(): AbsenceCheck | undefined {
    return this.#check instanceof AbsenceCheck ? this.#check : undefined;
  }

  #see(sid: string | undefined): void {
    this.seenAt = this.#deps.clock.monotonic();
    if (sid !== undefined) this.#sid = sid;
    this.#settle();
  }

  #remember(end: EndedConnection): void {
    this.#ended = [...this.#ended ?? [], end].slice(-MAX_ENDED);
  }

  #endOf(sid: string): EndedConnection | undefined {
    return this.#ended?.find((end) => end.sid === sid);
  }

  #signal(signal: Signal): void {
    if (this.#isStopped) return;
    const from = this.#state;
    const to = nextState(from, signal);
    if (to === from) {
      const isAlive = to === "Connected" || to === "WaitingForInitialConnect";
      if (signal === "DelayedEventReset" && isAlive) void this.#restart();
      return;
    }
    this.#deps.log.debug("a job has changed its state", {
      state: to,
      signal,
      server: this.job.serverName,
    });
    if (to === "Connected") this.#connect(this.#deadlineOnArrival);
    else this.#leaveFor(to);
  }

  /** How long the restart may be tried that comes with a participant. */
  get #deadlineOnArrival(): number {
    const { isThroughHomeserver, delayTimeoutMs } = this.job;
    // What was restarted while it waited is known to end then. Of an event that was not, nobody
    // knows what its client has done with it meanwhile.
    if (isThroughHomeserver === true) return this.#deadline;
    return this.#deps.clock.monotonic() + delayTimeoutMs;
  }

  // How long before the hand-over the event was scheduled is unknown, hence the restart at once.
  #connect(deadline: number): void {
    const { host } = this.#deps;
    this.#enter("Connected");
    this.#deadline = deadline;
    this.#wasConnected = true;
    host.onWatched(this, true);
    host.onChanged(this);
    this.#signal("DelayedEventReset");
  }

  #leaveFor(state: Exclude<JobState, "Connected">): void {
    const { host } = this.#deps;
    if (this.#state === "Connected") host.onWatched(this, false);
    this.#enter(state);
    if (state === "Disconnected") void this.#send();
    else if (state === "Aborted") host.onDone(this);
    else if (state === "WaitingForInitialConnect") {
      this.#wasConnected = false;
      host.onChanged(this);
      this.#await();
    }
  }

  #enter(state: JobState): void {
    this.#cancelTimers();
    this.#state = state;
    this.#epoch++;
  }

  /** Makes the question whether what is begun now still matters. */
  #whileHere(): () => boolean {
    const epoch = this.#epoch;
    return () => this.#epoch === epoch && !this.#isStopped;
  }

  async #restart(): Promise<void> {
    const { clock, host, perform } = this.#deps;
    const { job } = this;
    const deadline = this.#deadline;
    if (clock.monotonic() >= deadline) {
      this.#signal("DelayedEventTimedOut");
      return;
    }
    const isWanted = this.#whileHere();
    const result = await perform({ job, act: "restart", deadline, isWanted });
    if (!isWanted()) return;
    if (result !== "done") {
      this.#onLost(result);
      return;
    }
    this.#restartedAt = clock.monotonic();
    this.#deadline = this.#restartedAt + job.delayTimeoutMs;
    host.onChanged(this);
    this.#cancelTimer = clock.after(this.#restartsInMs(), () => {
      this.#cancelTimer = undefined;
      this.#signal("DelayedEventReset");
    });
  }

  #restartsInMs(): number {
    const { clock, random } = this.#deps;
    const { delayTimeoutMs } = this.job;
    const ms = restartAfterMs(delayTimeoutMs, random);
    if (delayTimeoutMs < LONG_DELAY_MS) return ms;
    const now = clock.monotonic();
    return Math.ceil((now + ms) / TOGETHER_MS) * TOGETHER_MS - now;
  }

  #onLost(result: Exclude<ActionResult, "done">): void {
    const { serverName } = this.job;
    if (result === "gone") {
      this.#deps.log.debug("a delayed event is gone", { server: serverName });
      this.#signal("DelayedEventNotFound");
      return;
    }
    this.#deps.log.warning(
      "a delayed leave event could not be restarted; the homeserver sends it by itself",
      { server: serverName, result },
    );
    this.#signal(result === "unresolved" ? "CsApiUrlNotFound" : "DelayedEventTimedOut");
  }

  async #send(): Promise<void> {
    const { clock, host, log, perform } = this.#deps;
    const { job } = this;
    const isWanted = this.#whileHere();
    const deadline = clock.monotonic() + sendBudgetMs(this.#deadline - clock.monotonic());
    const result = await perform({ job, act: "send", deadline, isWanted });
    if (!isWanted()) return;
    if (result === "done") log.debug("sent a leave", { server: job.serverName });
    else {
      log.warning("a leave could not be sent; the homeserver sends it when its delay ends", {
        server: job.serverName,
        result,
      });
    }
    host.onDone(this);
  }

  /** Looks for a participant who has not come yet. */
  #await(): void {
    const { job } = this;
    this.#check = new ArrivalCheck(patienceOf(job, this.#deps.clock.monotonic(), this.#deadline), {
      ...this.#deps,
      look: (timeoutMs) => this.#look(timeoutMs),
      onPresent: (sid) => {
        this.#see(sid);
        this.#signal("ParticipantLookupSuccessful");
      },
      onMissed: () => this.#signal("WaitingStateTimedOut"),
    });
    if (job.isThroughHomeserver === true) this.#signal("DelayedEventReset");
  }

  /** Makes sure whether the participant is gone. */
  #confirm(reason: Doubt): void {
    // What the SFU has told once stays told.
    const isTold = reason.isTold || this.#absenceCheck?.doubt.isTold === true;
    this.#check?.end();
    this.#check = new AbsenceCheck({ ...reason, isTold }, {
      ...this.#deps,
      look: () => this.#look(),
      onPresent: (sid) => this.#see(sid),
      onGone: () => this.#signal(isTold ? "ParticipantConnectionAborted" : "SFUParticipantGone"),
    });
  }

  /** The participant is there, or it does not matter any more. */
  #settle(): void {
    this.#check?.end();
    this.#check = undefined;
  }

  /** Looks for the participant. A connection whose end has been told is as good as none. */
  async #look(timeoutMs?: number): Promise<Sighting> {
    const { room, identity, otherIdentity } = this.job;
    const identities: LiveKitIdentity[] = [identity];
    if (otherIdentity !== undefined) identities.push(otherIdentity);
    const { clock, sfu } = this.#deps;
    const looking = sfu.look(room, identities);
    const sighting =
      await (timeoutMs === undefined
        ? looking
        : withDeadline(looking, timeoutMs, clock, () => new Error("too late")).catch(() =>
          RESTING
        ));
    if (sighting.kind !== "present" || this.#endOf(sighting.sid) === undefined) return sighting;
    return { kind: "absent" };
  }

  #cancelTimers(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#settle();
  }
}
