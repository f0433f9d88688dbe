/** The jobs of this replica, and what is done to them in Redis. */

import type { Logger } from "@logtape/logtape";
import type { Clock } from "../../clock.ts";
import { type Job, type JobKey, jobKey, type StoredJob } from "../job.ts";
import { formatJobRecord, isExpired, jobField, notInFuture, parseJobRecord } from "./job_record.ts";
import type { RedisConnection } from "./redis_connection.ts";
import { RedisRefusal } from "./redis_refusal.ts";
import * as scripts from "./redis_scripts.ts";
import { runScript } from "./redis_run_script.ts";
import type { ChangeResult, JobChange } from "../store.ts";

/** What the jobs need. */
export interface RedisJobsDeps {
  /** The ID of this replica. */
  readonly id: string;
  /** Where those are told whose jobs are replaced. */
  readonly channel: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A change as Redis gets it. */
interface Step {
  readonly at: number;
  readonly job: Job;
  readonly kind: "put" | "update" | "remove";
  readonly field: string;
  /** The record; to remove, the delay ID. */
  readonly value: string;
}

/** Changes of one script: Redis does nothing else meanwhile. */
const MAX_STEPS = 250;
/** Fields in one question about owners. */
const MAX_FIELDS = 500;

/**
 * The jobs of this replica. Which job of a participant is the newest is known
 * here, by the very object: an older one may have the same delay ID.
 */
export class RedisJobs {
  readonly #deps: RedisJobsDeps;
  /** The newest job of each participant, by field. */
  readonly #current = new Map<string, Job>();

  constructor(deps: RedisJobsDeps) {
    this.#deps = deps;
  }

  /** Whether this replica has a job under a field. */
  has(field: string): boolean {
    return this.#current.has(field);
  }

  /**
   * Applies changes in order.
   *
   * @param isShared Whether there may be other replicas, so that owners count.
   * @throws {StoreError} When not all are known to be applied. What removes jobs
   * is applied even if Redis has no memory for the rest.
   */
  async write(
    connection: RedisConnection,
    changes: readonly JobChange[],
    isShared: boolean,
  ): Promise<ChangeResult[]> {
    const results = changes.map((): ChangeResult => "lost");
    const steps = changes.flatMap((change, at) => this.#stepOf(change, at) ?? []);
    const settle = (step: Step, isKept: boolean) => {
      if (isKept) results[step.at] = "kept";
      if (isKept && step.kind !== "remove") return;
      if (this.#current.get(step.field) === step.job) this.#current.delete(step.field);
    };
    if (!isShared) {
      await writeAlone(connection, steps);
      for (const step of steps) settle(step, true);
      return results;
    }
    for (let start = 0; start < steps.length; start += MAX_STEPS) {
      const some = steps.slice(start, start + MAX_STEPS);
      let kept: unknown[];
      try {
        kept = await this.#run(connection, some);
      } catch (error) {
        const removals = steps.slice(start).filter(({ kind }) => kind === "remove");
        if (error instanceof RedisRefusal && error.code === "OOM" && removals.length > 0) {
          await this.#run(connection, removals);
        }
        throw error;
      }
      some.forEach((step, n) => settle(step, kept[n] === 1));
    }
    return results;
  }

  /** What to ask of Redis; nothing for news of a job that is no longer the newest here. */
  #stepOf(change: JobChange, at: number): Step | undefined {
    const job = change.kind === "remove" ? change.job : change.stored.job;
    const field = jobField(job.room, job.identity);
    // Before it is written: from now on, what is heard of its predecessors no longer counts.
    if (change.kind === "put") this.#current.set(field, job);
    if (this.#current.get(field) !== job) return undefined;
    const value = change.kind === "remove" ? job.delayId.reveal() : formatJobRecord(change.stored);
    return { at, job, kind: change.kind, field, value };
  }

  async #run(
    connection: RedisConnection,
    steps: readonly { kind: Step["kind"] | "drop"; field: string; value: string }[],
  ): Promise<unknown[]> {
    const { id, channel } = this.#deps;
    const triples = steps.flatMap(({ kind, field, value }) => [kind, field, value]);
    const keys = [scripts.JOBS_KEY, scripts.OWNERS_KEY];
    return await runScript(
      connection,
      scripts.WRITE,
      keys,
      [id, channel, ...triples],
    ) as unknown[];
  }

  /**
   * Takes those of some jobs that nobody runs.
   *
   * @param replicas The IDs of all replicas known.
   * @returns `undefined` when there are others, and nothing has been taken.
   */
  async claim(
    connection: RedisConnection,
    fields: readonly string[],
    replicas: readonly string[],
  ): Promise<StoredJob[] | undefined> {
    const { id } = this.#deps;
    const keys = [scripts.JOBS_KEY, scripts.OWNERS_KEY, scripts.REPLICAS_KEY];
    const [isKnown, ...entries] = await runScript(
      connection,
      scripts.CLAIM,
      [...keys, ...replicas.map(scripts.replicaKey)],
      [id, replicas.length, ...replicas, ...fields],
    ) as [number, ...string[]];
    return isKnown === 1 ? await this.#admit(connection, entries, true) : undefined;
  }

  /** Takes all jobs there are: for the only replica. */
  async takeAll(connection: RedisConnection): Promise<StoredJob[]> {
    const entries = await connection.call("HGETALL", scripts.JOBS_KEY) as string[];
    return await this.#admit(connection, entries, false);
  }

  /** Reads jobs that are this replica's now, and clears away what is none. */
  async #admit(
    connection: RedisConnection,
    entries: readonly string[],
    isShared: boolean,
  ): Promise<StoredJob[]> {
    const now = this.#deps.clock.now();
    const jobs: StoredJob[] = [];
    const [unreadable, useless]: [string[], string[]] = [[], []];
    const renamed: { field: string; text: string }[] = [];
    for (let i = 0; i + 1 < entries.length; i += 2) {
      const [field, text] = [entries[i]!, entries[i + 1]!];
      const stored = parseJobRecord(text);
      if (stored === undefined) {
        unreadable.push(field);
        continue;
      }
      const ownField = jobField(stored.job.room, stored.job.identity);
      // Somebody has put a newer one here since.
      if (this.#current.has(ownField)) continue;
      // Other programs may escape characters differently, and would keep the job twice.
      if (field !== ownField) useless.push(field);
      if (isExpired(stored, now)) {
        if (field === ownField) useless.push(field);
        continue;
      }
      if (field !== ownField) renamed.push({ field: ownField, text });
      this.#current.set(ownField, stored.job);
      jobs.push(notInFuture(stored, now));
    }
    if (unreadable.length > 0) await this.#setAside(connection, unreadable, isShared);
    if (isShared) {
      const steps = [
        ...renamed.map(({ field, text }) => ({ kind: "update" as const, field, value: text })),
        ...useless.map((field) => ({ kind: "drop" as const, field, value: "" })),
      ];
      for (let start = 0; start < steps.length; start += MAX_STEPS) {
        await this.#run(connection, steps.slice(start, start + MAX_STEPS));
      }
    } else {
      await Promise.all([
        ...renamed.map(({ field, text }) => connection.call("HSET", scripts.JOBS_KEY, field, text)),
        ...useless.map((field) => connection.call("HDEL", scripts.JOBS_KEY, field)),
      ]);
    }
    return jobs;
  }

  async #setAside(connection: RedisConnection, fields: readonly string[], isShared: boolean) {
    const { id, log } = this.#deps;
    const count = fields.length;
    if (!isShared) {
      log.warning("jobs in Redis cannot be read; they stay as they are", { count });
      return;
    }
    const keys = [scripts.JOBS_KEY, scripts.OWNERS_KEY, scripts.SET_ASIDE_KEY];
    await runScript(connection, scripts.SET_ASIDE, keys, [id, ...fields]);
    log.warning(`jobs in Redis cannot be read; they are kept in ${scripts.SET_ASIDE_KEY}`, {
      count,
    });
  }

  /**
   * Finds out which jobs are another replica's now, and forgets them.
   *
   * @param options.fields Where to look; all jobs of this replica unless told.
   * @param options.mayHaveEnded Whether others may have run them to their end: then one without
   * an owner is lost as well. Otherwise Redis has lost its data, and it is still this one's.
   */
  async findLost(
    connection: RedisConnection,
    { fields, mayHaveEnded = false }: { fields?: readonly string[]; mayHaveEnded?: boolean } = {},
  ): Promise<JobKey[]> {
    const suspects = (fields ?? [...this.#current.keys()]).flatMap((field) => {
      const job = this.#current.get(field);
      return job === undefined ? [] : [{ field, job }];
    });
    const lost: JobKey[] = [];
    for (let start = 0; start < suspects.length; start += MAX_FIELDS) {
      const some = suspects.slice(start, start + MAX_FIELDS);
      const owners = await runScript(
        connection,
        scripts.OWNERS_OF,
        [scripts.OWNERS_KEY],
        some.map(({ field }) => field),
      ) as string[];
      some.forEach(({ field, job }, n) => {
        if (owners[n] === this.#deps.id || (owners[n] === "" && !mayHaveEnded)) return;
        // A newer one has been put here while the answer was on its way.
        if (this.#current.get(field) !== job) return;
        this.#current.delete(field);
        lost.push(jobKey(job.room, job.identity));
      });
    }
    return lost;
  }
}

/** What lk-jwt-service does, too: nobody else changes anything. */
async function writeAlone(connection: RedisConnection, steps: readonly Step[]): Promise<void> {
  const outcomes = await Promise.allSettled(
    steps.map(({ kind, field, value }) =>
      kind === "remove"
        ? connection.call("HDEL", scripts.JOBS_KEY, field)
        : connection.call("HSET", scripts.JOBS_KEY, field, value)
    ),
  );
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
