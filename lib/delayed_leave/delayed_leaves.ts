/** All delayed leave events in the service's care. */

import type { Logger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import { LimitExceededError, UpstreamError } from "../matrix/errors.ts";
import { type Job, type JobKey, jobKey, type StoredJob } from "./job.ts";
import { JobRunner, type JobRunnerDeps } from "./job_runner.ts";
import type { LeaveCounts } from "./leave_watcher.ts";
import type { JobWriter } from "./stores/job_writer.ts";
import type { ParticipantEvent } from "./participant_event.ts";
import type { JobStore, StoreListener } from "./store.ts";
import type { WatchedJobsByRoom } from "./watched_jobs.ts";

/** Takes over leave events, and lets the jobs know what happens to participants. */
export interface DelayedLeaves {
  /**
   * Takes up the jobs of an earlier process. Until this has resolved nothing
   * else may be called.
   *
   * @throws {StoreError} When the store cannot be used.
   */
  start(): Promise<void>;
  /**
   * Takes a leave event over. Resolves once the job is kept; a job of the same
   * participant is replaced without a word.
   *
   * @param timeoutMs How long keeping it may take.
   * @throws {LimitExceededError} When the user has too many jobs.
   * @throws {UpstreamError} When the service has too many, or the job could not be kept; then
   * there is none.
   */
  delegate(job: Job, timeoutMs: number): Promise<void>;
  /** @throws {StoreError} When another replica may need the event and could not be told. */
  onEvent(event: ParticipantEvent): Promise<void>;
  /** How many jobs there are. */
  readonly count: number;
  /** The same by what they do, counted each time. */
  counts(): LeaveCounts;
  /** Stands still: nothing is sent or forgotten, the jobs go on elsewhere or with the next start. */
  close(timeoutMs: number): Promise<void>;
}

/** What looking after jobs needs. */
export interface DelayedLeavesOptions extends Omit<JobRunnerDeps, "host"> {
  readonly store: JobStore;
  /** Makes what writes to the store in the background. */
  readonly createWriter: (onLost: (keys: readonly JobKey[]) => void) => JobWriter;
  readonly watched: WatchedJobsByRoom;
  /** Told of every event, whoever's job it concerns, before the jobs are. */
  readonly onEvent: (event: ParticipantEvent) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const MAX_JOBS_PER_USER = 32;
const MAX_JOBS = 500_000;
/** The clocks differ by less than this unless the time of day has been set. */
const CLOCK_JUMP_MS = 5_000;
/** When it makes sense to come again; calls end all the time. */
const RETRY_AFTER_SECONDS = 30;

/** Makes what looks after the jobs. */
export function createDelayedLeaves(options: DelayedLeavesOptions): DelayedLeaves {
  const { clock, createWriter, log, store, watched } = options;
  const runners = new Map<JobKey, JobRunner>();
  /** Jobs by the other identity that their user may have joined with. */
  const byOtherIdentity = new Map<JobKey, JobRunner>();
  const jobsOfUser = new Map<string, number>();
  /** By key, the last hand-over under way: two of one participant take their turns. */
  const handOvers = new Map<JobKey, Promise<void>>();
  let isClosed = false;

  const writer = createWriter(drop);
  const deps: JobRunnerDeps = {
    ...options,
    host: {
      onChanged: (runner) => {
        writer.update(runner.stored);
        if (hasClockJumped()) writeAll();
      },
      onWatched: (runner, isWatched) => isWatched ? watched.add(runner) : watched.remove(runner),
      onDone: (runner) => {
        if (remove(runner)) writer.remove(runner.job);
      },
    },
  };

  let timeOfDayAtZero = clock.now() - clock.monotonic();

  /** Records hold times of day: those of an hour ago must not look expired to the next process. */
  function hasClockJumped(): boolean {
    const before = timeOfDayAtZero;
    timeOfDayAtZero = clock.now() - clock.monotonic();
    return Math.abs(timeOfDayAtZero - before) > CLOCK_JUMP_MS;
  }

  function writeAll(): void {
    for (const runner of runners.values()) writer.update(runner.stored);
  }

  function add(stored: StoredJob): void {
    const { job } = stored;
    const runner = new JobRunner(stored, deps);
    retire(runners.get(keyOf(job)));
    for (const other of rivals(job)) {
      retire(other);
      writer.remove(other.job);
    }
    runners.set(keyOf(job), runner);
    const otherKey = otherKeyOf(job);
    if (otherKey !== undefined) byOtherIdentity.set(otherKey, runner);
    count(job, 1);
    runner.start();
  }

  /** Jobs for the same event under the user's other identity. */
  function rivals({ room, identity, otherIdentity, delayId }: Job): JobRunner[] {
    const candidates = [byOtherIdentity.get(jobKey(room, identity))];
    if (otherIdentity !== undefined) candidates.push(runners.get(jobKey(room, otherIdentity)));
    return candidates.filter((runner): runner is JobRunner =>
      runner !== undefined && runner.job.delayId.reveal() === delayId.reveal()
    );
  }

  /** @returns Whether it was the current job of its participant. */
  function remove(runner: JobRunner): boolean {
    const { job } = runner;
    if (runners.get(keyOf(job)) !== runner) return false;
    runners.delete(keyOf(job));
    const otherKey = otherKeyOf(job);
    if (otherKey !== undefined && byOtherIdentity.get(otherKey) === runner) {
      byOtherIdentity.delete(otherKey);
    }
    count(job, -1);
    return true;
  }

  function count({ userId }: Job, change: number): void {
    if (userId === undefined) return;
    const jobs = (jobsOfUser.get(userId) ?? 0) + change;
    if (jobs === 0) jobsOfUser.delete(userId);
    else jobsOfUser.set(userId, jobs);
  }

  function retire(runner: JobRunner | undefined): void {
    if (runner === undefined) return;
    remove(runner);
    runner.replace();
  }

  function drop(keys: readonly JobKey[]): void {
    for (const key of keys) retire(runners.get(key));
  }

  /** @returns Whether a job here is concerned. */
  function tell(event: ParticipantEvent): boolean {
    options.onEvent(event);
    const key = jobKey(event.room, event.identity);
    const runner = runners.get(key);
    const other = byOtherIdentity.get(key);
    runner?.onEvent(event);
    if (other !== runner) other?.onEvent(event);
    return runner !== undefined || other !== undefined;
  }

  const listener: StoreListener = {
    onTaken(jobs) {
      if (isClosed) return;
      for (const stored of jobs) {
        // What is running here already is newer than what was kept.
        if (!runners.has(keyOf(stored.job))) add(stored);
      }
      log.info("took over jobs of another replica", { count: jobs.length });
    },
    onLost: drop,
    onEvent: tell,
    onRecovered: writeAll,
  };

  /** Whether a job takes the place of another one. */
  function replaces(job: Job): boolean {
    return runners.has(keyOf(job)) || rivals(job).length > 0;
  }

  function refuseTooMany(job: Job): void {
    if (runners.size >= MAX_JOBS) {
      throw new UpstreamError("load", `more than ${MAX_JOBS} delayed events are delegated`);
    }
    const jobs = job.userId === undefined ? 0 : jobsOfUser.get(job.userId) ?? 0;
    if (jobs >= MAX_JOBS_PER_USER) {
      throw new LimitExceededError("Too many delayed events of this user", RETRY_AFTER_SECONDS);
    }
  }

  async function handOver(job: Job, timeoutMs: number): Promise<void> {
    const isFurther = !replaces(job);
    if (isFurther) refuseTooMany(job);
    const stored = { job, restartedAt: clock.now(), wasConnected: false };
    // It counts from now on, or many that come at once would all find room.
    if (isFurther) count(job, 1);
    try {
      await writer.put(stored, timeoutMs);
    } catch (error) {
      // Nobody knows what is kept now; the job before this one goes on.
      const before = runners.get(keyOf(job));
      if (before !== undefined) writer.update(before.stored);
      throw error;
    } finally {
      if (isFurther) count(job, -1);
    }
    if (!isClosed) add(stored);
  }

  return {
    async start() {
      const restored = await store.start(listener);
      for (const stored of restored) add(stored);
      if (restored.length > 0) {
        log.info("took up jobs of an earlier process", { count: restored.length });
      }
    },
    delegate(job, timeoutMs) {
      const key = keyOf(job);
      const before = handOvers.get(key) ?? Promise.resolve();
      const result = before.then(() => handOver(job, timeoutMs));
      const settled = result.catch(() => {}).then(() => {
        if (handOvers.get(key) === settled) handOvers.delete(key);
      });
      handOvers.set(key, settled);
      return result;
    },
    async onEvent(event) {
      if (!tell(event)) await store.pass(event);
    },
    get count() {
      return runners.size;
    },
    counts() {
      const counts = { waiting: 0, connected: 0, sending: 0 };
      for (const { state } of runners.values()) {
        if (state === "WaitingForInitialConnect") counts.waiting++;
        else if (state === "Connected") counts.connected++;
        else if (state === "Disconnected") counts.sending++;
      }
      return counts;
    },
    async close(timeoutMs) {
      isClosed = true;
      for (const runner of runners.values()) runner.stop();
      await writer.flush(timeoutMs);
      await store.close();
    },
  };
}

function keyOf({ room, identity }: Job): JobKey {
  return jobKey(room, identity);
}

function otherKeyOf({ room, otherIdentity }: Job): JobKey | undefined {
  return otherIdentity === undefined ? undefined : jobKey(room, otherIdentity);
}
