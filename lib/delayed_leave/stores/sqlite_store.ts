import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Logger } from "@logtape/logtape";
import type { Clock } from "../../clock.ts";
import { describeError } from "../../observability/logger.ts";
import { type Job, jobKey, type StoredJob } from "../job.ts";
import { formatJobRecord, isExpired, notInFuture, parseJobRecord } from "./job_record.ts";
import { asStoreError, type JobsFileOptions, openJobsFile, rollBack } from "./jobs_file.ts";
import { type ChangeResult, type JobChange, type JobStore, StoreError } from "../store.ts";

/**
 * Makes a store in one file of a folder, for a service without other replicas.
 * What it has kept survives a crash of the process, and of the machine.
 *
 * Writing blocks the process for as long as the disk takes: a fraction of a
 * millisecond on one of today's.
 */
export function createSqliteStore(options: JobsFileOptions): JobStore {
  let jobs: OpenStore | undefined;

  return {
    async start() {
      const { db, path } = await openJobsFile(options);
      jobs = new OpenStore(db, path);
      return jobs.takeUp(options.clock, options.log);
    },
    // Async, so that errors arrive as rejections.
    // deno-lint-ignore require-await
    async write(changes) {
      if (jobs === undefined) throw new StoreError("answer", "the store of jobs is not open");
      return jobs.write(changes);
    },
    pass: () => Promise.resolve(),
    mayAct: () => true,
    fallsToThis: () => true,
    close() {
      jobs?.close(options.log);
      jobs = undefined;
      return Promise.resolve();
    },
  };
}

interface Row {
  readonly id: number;
  readonly key: string;
  readonly record: string;
}

class OpenStore {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #put: StatementSync;
  readonly #restore: StatementSync;
  readonly #update: StatementSync;
  readonly #remove: StatementSync;
  /**
   * The row of each job. A row that replaces another has a new number, never used
   * before in this process: so late news of a replaced job find nothing to change.
   */
  readonly #rowOf = new WeakMap<Job, number>();
  #lastRow = 0;

  constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
    this.#put = db.prepare("REPLACE INTO jobs (id, key, record) VALUES (?, ?, ?)");
    this.#restore = db.prepare("INSERT OR IGNORE INTO jobs (id, key, record) VALUES (?, ?, ?)");
    this.#update = db.prepare("UPDATE jobs SET record = ? WHERE id = ?");
    this.#remove = db.prepare("DELETE FROM jobs WHERE id = ?");
  }

  takeUp(clock: Clock, log: Logger): StoredJob[] {
    const now = clock.now();
    const found: StoredJob[] = [];
    const expired: number[] = [];
    const notUnderstood: number[] = [];
    try {
      for (
        const row of this.#db.prepare("SELECT id, key, record FROM jobs ORDER BY id").iterate()
      ) {
        const { id, key, record } = row as unknown as Row;
        this.#lastRow = Math.max(this.#lastRow, id);
        const stored = parseJobRecord(record);
        if (stored === undefined || jobKey(stored.job.room, stored.job.identity) !== key) {
          notUnderstood.push(id);
        } else if (isExpired(stored, now)) {
          expired.push(id);
        } else {
          found.push(notInFuture(stored, now));
          this.#rowOf.set(stored.job, id);
        }
      }
    } catch (error) {
      throw asStoreError(error, this.#path);
    }
    this.#cleanUp(expired, notUnderstood, new Date(now).toISOString(), log);
    return found;
  }

  #cleanUp(expired: number[], notUnderstood: number[], at: string, log: Logger): void {
    if (expired.length + notUnderstood.length === 0) return;
    const setAside = this.#db.prepare(
      "INSERT INTO set_aside (key, record, at) SELECT key, record, ? FROM jobs WHERE id = ?",
    );
    try {
      this.#transact(() => {
        for (const id of notUnderstood) setAside.run(at, id);
        for (const id of [...notUnderstood, ...expired]) this.#remove.run(id);
      });
    } catch (error) {
      // The jobs that are good count for more; the next start tries again.
      log.warning(`old jobs could not be removed: ${describeError(error)}`);
      return;
    }
    if (notUnderstood.length === 0) return;
    log.error(
      `${notUnderstood.length} jobs in ${this.#path} cannot be understood; ` +
        "they are kept in its table set_aside",
    );
  }

  write(changes: readonly JobChange[]): ChangeResult[] {
    // Only what is committed counts: the rows of a transaction that fails do not exist.
    const rows = new Map<Job, number | undefined>();
    const results = this.#transact(() => changes.map((change) => this.#apply(change, rows)));
    for (const [job, row] of rows) {
      if (row === undefined) this.#rowOf.delete(job);
      else this.#rowOf.set(job, row);
    }
    return results;
  }

  #apply(change: JobChange, rows: Map<Job, number | undefined>): ChangeResult {
    if (change.kind === "put") {
      rows.set(change.stored.job, this.#insert(this.#put, change.stored).row);
      return "kept";
    }
    const job = change.kind === "remove" ? change.job : change.stored.job;
    const known = rows.has(job) ? rows.get(job) : this.#rowOf.get(job);
    if (change.kind === "remove") {
      if (known !== undefined) this.#remove.run(known);
      rows.set(job, undefined);
      return "kept";
    }
    if (known === undefined) return "lost";
    if (this.#update.run(formatJobRecord(change.stored), known).changes > 0) return "kept";
    // The row has gone with a newer job that did not last, unless that one is still there.
    const { row, isThere } = this.#insert(this.#restore, change.stored);
    if (!isThere) return "lost";
    rows.set(job, row);
    return "kept";
  }

  #insert(statement: StatementSync, stored: StoredJob): { row: number; isThere: boolean } {
    const { room, identity } = stored.job;
    const row = ++this.#lastRow;
    const { changes } = statement.run(row, jobKey(room, identity), formatJobRecord(stored));
    return { row, isThere: changes > 0 };
  }

  #transact<T>(action: () => T): T {
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      const result = action();
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      rollBack(this.#db);
      throw asStoreError(error, this.#path);
    }
  }

  close(log: Logger): void {
    try {
      this.#db.close();
    } catch (error) {
      // All that was written stands in the log beside the file, where the next start finds it.
      log.warning(describeError(asStoreError(error, this.#path)));
    }
  }
}
