/** Between jobs, which never wait for the store, and the store, which may take its time. */

import type { Logger } from "@logtape/logtape";
import type { Clock } from "../../clock.ts";
import { describeError, hopFact } from "../../observability/logger.ts";
import { type Job, type JobKey, jobKey, type StoredJob } from "../job.ts";
import { type ChangeResult, type JobChange, type JobStore, StoreError } from "../store.ts";

/** Keeps what jobs tell of themselves, the newest state of each. */
export interface JobWriter {
  /**
   * Keeps a new job in place of whatever is there under its key. Once per job.
   *
   * @param timeoutMs How long it may take, all attempts included.
   * @throws {StoreError} When it is not known to be kept by then. It is removed
   * as soon as the store answers, should it be there nevertheless.
   */
  put(stored: StoredJob, timeoutMs: number): Promise<void>;
  /** Keeps news of a job in the background; of one that has been removed or replaced: not at all. */
  update(stored: StoredJob): void;
  /** Removes a job in the background; leaves alone what has taken its place. */
  remove(job: Job): void;
  /** Resolves when all has been written, or after a while with a warning in the log. */
  flush(timeoutMs: number): Promise<void>;
}

/** What a writer needs. */
export interface JobWriterDeps {
  /** Started before there is anything to write; answers or throws within seconds, whatever happens. */
  readonly store: Pick<JobStore, "write">;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  /** Told of jobs that are another replica's now. */
  readonly onLost: (keys: readonly JobKey[]) => void;
}

/** Changes of one go. */
const MAX_BATCH = 500;
/** Changes of this while go out together, but for the first: a go costs as much as twenty changes. */
const COLLECT_MS = 20;
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 5_000;
/** The longest pause while somebody waits. */
const MAX_AWAITED_RETRY_MS = 500;

/** Makes a writer. */
export function createJobWriter(deps: JobWriterDeps): JobWriter {
  return new QueueingWriter(deps);
}

/** Somebody waits for a put. */
interface Waiter {
  readonly resolve: () => void;
  readonly cancelTimeout: () => void;
  /** Whether the store may know of the job. */
  wasTried: boolean;
}

class QueueingWriter implements JobWriter {
  readonly #deps: JobWriterDeps;
  /**
   * What is to be written, in the order in which the jobs came up. By job, not by
   * participant: stores tell an older job from the one that replaces it.
   */
  #waiting = new Map<Job, JobChange>();
  readonly #waiters = new Map<Job, Waiter>();
  /** Jobs that ended before they were kept. What they replace must still be overwritten. */
  readonly #endedEarly = new Set<Job>();
  /** The jobs that replace others: from the put until one go after it was kept. */
  readonly #newest = new Map<JobKey, Job>();
  #keptLast: Job[] = [];
  /** Replaced jobs with news: that they are lost says nothing of those that replace them. */
  readonly #replaced = new Set<Job>();

  #isWriting = false;
  #isAboutToWrite = false;
  #wroteAt = -Infinity;
  #failures = 0;
  #failingSince = 0;
  #lastError: unknown;
  /** When the next go is due, on the monotonic clock. */
  #nextAt = Infinity;
  #cancelNext = () => {};
  readonly #flushing = new Set<() => void>();

  constructor(deps: JobWriterDeps) {
    this.#deps = deps;
  }

  put(stored: StoredJob, timeoutMs: number): Promise<void> {
    const { job } = stored;
    this.#waiting.set(job, { kind: "put", stored });
    this.#newest.set(keyOf(job), job);
    const kept = new Promise<void>((resolve, reject) => {
      const cancelTimeout = this.#deps.clock.after(timeoutMs, () => {
        this.#giveUp(job);
        const cause = this.#lastError;
        const hop = cause instanceof StoreError ? cause.hop : "answer";
        reject(new StoreError(hop, `a job was not kept within ${timeoutMs} ms`, { cause }));
      });
      this.#waiters.set(job, { resolve, cancelTimeout, wasTried: false });
    });
    // While the store fails, not every client that comes may mean one more attempt.
    if (this.#failures === 0) void this.#write();
    else this.#wake(FIRST_RETRY_MS);
    return kept;
  }

  #giveUp(job: Job): void {
    const waiter = this.#waiters.get(job);
    this.#waiters.delete(job);
    this.#endedEarly.delete(job);
    this.#forgetNewest(job);
    if (waiter?.wasTried) this.#waiting.set(job, { kind: "remove", job });
    else this.#waiting.delete(job);
  }

  update(stored: StoredJob): void {
    const { job } = stored;
    const kind = this.#waiting.get(job)?.kind ?? "update";
    if (kind === "remove") return;
    if (this.#isReplaced(job)) this.#replaced.add(job);
    this.#waiting.set(job, { kind, stored });
    this.#wakeSoon();
  }

  remove(job: Job): void {
    if (this.#waiting.get(job)?.kind === "put") this.#endedEarly.add(job);
    else this.#waiting.set(job, { kind: "remove", job });
    this.#wakeSoon();
  }

  async flush(timeoutMs: number): Promise<void> {
    if (this.#waiting.size === 0 && !this.#isWriting) return;
    await new Promise<void>((resolve) => {
      const end = () => {
        cancel();
        this.#flushing.delete(end);
        resolve();
      };
      const cancel = this.#deps.clock.after(timeoutMs, () => {
        this.#deps.log.warning(`news of jobs could not be kept within ${timeoutMs} ms`);
        end();
      });
      this.#flushing.add(end);
      void this.#write();
    });
  }

  #wakeSoon(): void {
    // Otherwise the next attempt is set, and news alone are no reason to make it earlier.
    if (this.#failures > 0) return;
    // News that come alone are kept at once: who is killed in the next moment shall not lose them.
    if (this.#deps.clock.monotonic() - this.#wroteAt >= COLLECT_MS) this.#writeNow();
    else this.#wake(COLLECT_MS);
  }

  /** Writes what comes up in this turn. */
  #writeNow(): void {
    if (this.#isWriting || this.#isAboutToWrite) return;
    this.#isAboutToWrite = true;
    queueMicrotask(() => {
      this.#isAboutToWrite = false;
      void this.#write();
    });
  }

  /** Sees to it that the next go comes within so many milliseconds. */
  #wake(ms: number): void {
    const { clock } = this.#deps;
    const at = clock.monotonic() + ms;
    if (this.#isWriting || this.#nextAt <= at) return;
    this.#cancelNext();
    this.#nextAt = at;
    this.#cancelNext = clock.after(ms, () => void this.#write());
  }

  /** Writes what is waiting, for as long as it cannot wait any longer. */
  async #write(): Promise<void> {
    if (this.#isWriting) return;
    this.#cancelNext();
    this.#nextAt = Infinity;
    this.#isWriting = true;
    let isWell: boolean;
    try {
      do isWell = await this.#writeOnce(); while (
        isWell && this.#waiting.size > 0 && this.#isAwaited()
      );
    } finally {
      this.#isWriting = false;
    }
    if (!isWell) return this.#wake(this.#retryAfterMs());
    // Whole batches wait their turn as well: a store may keep the process busy while it writes.
    if (this.#waiting.size > 0) return this.#wake(this.#waiting.size < MAX_BATCH ? COLLECT_MS : 0);
    for (const end of this.#flushing) end();
  }

  #isAwaited(): boolean {
    return this.#waiters.size > 0 || this.#flushing.size > 0;
  }

  #retryAfterMs(): number {
    const longest = this.#isAwaited() ? MAX_AWAITED_RETRY_MS : MAX_RETRY_MS;
    const ms = Math.min(FIRST_RETRY_MS * 2 ** (this.#failures - 1), longest);
    return ms * (0.5 + this.#deps.random() / 2);
  }

  /** @returns Whether the store works. */
  async #writeOnce(): Promise<boolean> {
    const batch = this.#takeBatch();
    if (batch.length === 0) return true;
    this.#wroteAt = this.#deps.clock.monotonic();
    let results: readonly ChangeResult[];
    try {
      results = await this.#deps.store.write(batch);
    } catch (error) {
      this.#noteFailure(error);
      this.#putBack(batch);
      return false;
    }
    this.#noteSuccess();
    this.#settle(batch, results);
    return true;
  }

  #takeBatch(): JobChange[] {
    const batch: JobChange[] = [];
    for (const [job, change] of this.#waiting) {
      if (batch.length === MAX_BATCH) break;
      const waiter = change.kind === "put" ? this.#waiters.get(job) : undefined;
      if (waiter !== undefined) waiter.wasTried = true;
      this.#waiting.delete(job);
      batch.push(change);
    }
    return batch;
  }

  #settle(batch: readonly JobChange[], results: readonly ChangeResult[]): void {
    const kept: Job[] = [];
    const lost: JobKey[] = [];
    for (const [n, change] of batch.entries()) {
      const job = jobOf(change);
      const wasReplaced = this.#replaced.delete(job);
      if (change.kind === "remove") continue;
      if (change.kind === "put") {
        kept.push(job);
        const waiter = this.#waiters.get(job);
        this.#waiters.delete(job);
        waiter?.cancelTimeout();
        waiter?.resolve();
        if (this.#endedEarly.delete(job)) this.#waiting.set(job, { kind: "remove", job });
      }
      if (results[n] === "lost" && !wasReplaced && !this.#isReplaced(job)) lost.push(keyOf(job));
    }
    for (const job of this.#keptLast) this.#forgetNewest(job);
    this.#keptLast = kept;
    if (lost.length > 0) this.#deps.onLost(lost);
  }

  /** Puts changes back in front of what has come since, unless that says it all. */
  #putBack(batch: readonly JobChange[]): void {
    const newer = this.#waiting;
    this.#waiting = new Map();
    for (const change of batch) {
      const job = jobOf(change);
      const later = newer.get(job);
      newer.delete(job);
      this.#waiting.set(job, later === undefined ? change : this.#merge(change, later));
    }
    for (const [job, change] of newer) this.#waiting.set(job, change);
  }

  #merge(earlier: JobChange, later: JobChange): JobChange {
    if (earlier.kind === "remove") return earlier;
    if (earlier.kind === "update") return later;
    if (later.kind !== "remove") return { kind: "put", stored: later.stored };
    // Nobody waits any more: it is not to be kept at all.
    if (!this.#waiters.has(later.job)) return later;
    this.#endedEarly.add(later.job);
    return earlier;
  }

  #noteFailure(error: unknown): void {
    this.#lastError = error;
    this.#failures++;
    if (this.#failures > 1) return;
    this.#failingSince = this.#deps.clock.monotonic();
    this.#deps.log.warning(
      `jobs cannot be kept, those there are go on until the service stops: ${describeError(error)}`,
      hopFact(error),
    );
  }

  #noteSuccess(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    this.#lastError = undefined;
    const ms = Math.round(this.#deps.clock.monotonic() - this.#failingSince);
    this.#deps.log.info(`jobs can be kept again, after ${ms} ms`);
  }

  /** Whether a newer job of the same participant is about to be kept, or just has been. */
  #isReplaced(job: Job): boolean {
    if (this.#newest.size === 0) return false;
    return (this.#newest.get(keyOf(job)) ?? job) !== job;
  }

  #forgetNewest(job: Job): void {
    if (this.#newest.get(keyOf(job)) === job) this.#newest.delete(keyOf(job));
  }
}

function jobOf(change: JobChange): Job {
  return change.kind === "remove" ? change.job : change.stored.job;
}

function keyOf({ room, identity }: Job): JobKey {
  return jobKey(room, identity);
}
