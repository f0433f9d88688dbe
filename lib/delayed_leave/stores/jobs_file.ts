/** The file of the SQLite store: found or made, locked, known by its version. */

import type { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import type { Logger } from "@logtape/logtape";
import type { Clock } from "../../clock.ts";
import { StoreError } from "../store.ts";

/** Where the jobs are kept. */
export interface JobsFileOptions {
  /** The state folder; made if only its last part is missing. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** The most that the file may take, in pages of 4 KiB; as much as there is room for unless told. */
  readonly maxPages?: number;
}

/** A database that is open and locked, and what to call it in messages. */
export interface JobsFile {
  readonly db: DatabaseSync;
  readonly path: string;
}

/** What the file is called, in its folder. */
export const JOBS_FILE_NAME = "jobs.sqlite3";
/** "MRTC": tells our files from other programs'. */
const APPLICATION_ID = 0x4d525443;
const VERSION = 1;
const SCHEMA = `
  CREATE TABLE jobs (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, record TEXT NOT NULL) STRICT;
  CREATE TABLE set_aside (key TEXT NOT NULL, record TEXT NOT NULL, at TEXT NOT NULL) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
`;
/** The write-ahead log grows past this in a rush only, and is cut back afterwards. */
const MAX_LOG_BYTES = 16 * 1024 * 1024;
const REMEDY = "let the service's user write there, or name another folder in MATRIXRTC_STATE_DIR";

// The primary result codes of SQLite, https://sqlite.org/rescode.html, and sqlite3_errstr() of them.
const [PERM, BUSY, LOCKED, READONLY, CORRUPT, FULL, CANTOPEN, NOTADB] = [
  3,
  5,
  6,
  8,
  11,
  13,
  14,
  26,
];
const CODES = [
  { code: BUSY, text: "database is locked" },
  { code: READONLY, text: "attempt to write a readonly database" },
  { code: CORRUPT, text: "database disk image is malformed" },
  { code: CORRUPT, text: "malformed database schema" },
  { code: FULL, text: "database or disk is full" },
  { code: CANTOPEN, text: "unable to open database file" },
  { code: NOTADB, text: "file is not a database" },
];

/**
 * Opens the file of the jobs and keeps every other process out of it. What is
 * damaged is moved aside and logged, and an empty file takes its place.
 *
 * Nothing is opened, made or renamed afterwards, so that the process can give up
 * its permission to do so.
 *
 * @throws {StoreError} When folder or file cannot be used, somebody else uses the
 * file, or a newer version has written it; the file is then left as it is.
 */
export async function openJobsFile(options: JobsFileOptions): Promise<JobsFile> {
  const { folder, clock, log, maxPages } = options;
  // Whoever keeps no file pays nothing for SQLite.
  const sqlite = await import("node:sqlite");
  const path = join(folder, JOBS_FILE_NAME);
  const open = () => {
    makeFile(folder, path);
    return openOrGiveUp(() => new sqlite.DatabaseSync(path), path, maxPages);
  };
  let db = open();
  if (db === undefined) {
    const aside = moveAside(path, clock.now());
    log.error(`${path} is damaged; the jobs in it are lost to the service, it is kept as ${aside}`);
    db = open();
  }
  if (db === undefined) throw new StoreError("answer", `${path} is damaged as soon as it is made`);
  return { db, path };
}

/**
 * Says what an error of SQLite means for the operator.
 *
 * SQLite's own texts never hold values, so the error may be told as the cause.
 */
export function asStoreError(error: unknown, path: string): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError("answer", explain(error, path), { cause: error });
}

function explain(error: unknown, path: string): string {
  switch (resultCode(error)) {
    case BUSY:
    case LOCKED:
      return `another matrixrtc-auth is using ${path}; stop it, or give each of the two a ` +
        "MATRIXRTC_STATE_DIR of its own";
    case FULL:
      return `there is no room left for ${path}; make some`;
    case PERM:
    case READONLY:
    case CANTOPEN:
      return `${path} cannot be written; ${REMEDY}`;
    default:
      return `${path} cannot be used; look into the system's log for errors of the disk`;
  }
}

function makeFile(folder: string, path: string): void {
  try {
    unlessThere(() => Deno.mkdirSync(folder, { mode: 0o700 }));
    // SQLite itself would make a file that others may read; its other files take after this one.
    unlessThere(() => Deno.openSync(path, { createNew: true, write: true, mode: 0o600 }).close());
  } catch (error) {
    throw new StoreError("answer", `${path} cannot be made; ${REMEDY}`, { cause: error });
  }
}

function unlessThere(make: () => void): void {
  try {
    make();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

/** @returns `undefined` when the file is damaged. */
function openOrGiveUp(
  connect: () => DatabaseSync,
  path: string,
  maxPages: number | undefined,
): DatabaseSync | undefined {
  let db: DatabaseSync | undefined;
  try {
    db = connect();
    if (prepare(db, path, maxPages)) return db;
    closeQuietly(db);
    return undefined;
  } catch (error) {
    if (db !== undefined) closeQuietly(db);
    const code = resultCode(error);
    if (code === CORRUPT || code === NOTADB) return undefined;
    if (code !== BUSY && !(error instanceof StoreError)) refuseReadOnly(path);
    throw asStoreError(error, path);
  }
}

/** SQLite opens what it may only read, and calls it an input/output error later on. */
function refuseReadOnly(path: string): void {
  try {
    // Closing takes away all locks that this process has on the file: there must not be any.
    Deno.openSync(path, { write: true }).close();
  } catch (error) {
    throw new StoreError("answer", `${path} cannot be written; ${REMEDY}`, { cause: error });
  }
}

/** @returns Whether the file is sound. */
function prepare(db: DatabaseSync, path: string, maxPages: number | undefined): boolean {
  db.exec("PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY");
  const isNew = refuseOthers(db, path);
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  db.exec(`PRAGMA journal_size_limit = ${MAX_LOG_BYTES}`);
  if (maxPages !== undefined) db.exec(`PRAGMA max_page_count = ${maxPages}`);
  if (!isNew && (pragma(db, "quick_check(1)") !== "ok" || !hasTables(db))) return false;
  // Writes in any case: takes the lock for good, and tells now rather than later what is read-only.
  try {
    db.exec(`BEGIN IMMEDIATE; ${isNew ? SCHEMA : ""} PRAGMA user_version = ${VERSION}; COMMIT`);
  } catch (error) {
    // A full disk must not keep the jobs from being taken up; they need nothing written for that.
    if (isNew || resultCode(error) !== FULL) throw error;
    rollBack(db);
  }
  return true;
}

function hasTables(db: DatabaseSync): boolean {
  try {
    db.prepare("SELECT id, key, record FROM jobs");
    db.prepare("SELECT key, record, at FROM set_aside");
    return true;
  } catch {
    return false;
  }
}

/** @returns Whether the file is empty. */
function refuseOthers(db: DatabaseSync, path: string): boolean {
  const version = Number(pragma(db, "user_version"));
  if (pragma(db, "application_id") === APPLICATION_ID) {
    if (version <= VERSION) return false;
    throw new StoreError(
      "answer",
      `${path} was written by a newer version of matrixrtc-auth (format ${version}, this one ` +
        `knows ${VERSION}); run that version again, or move the file away and lose its jobs`,
    );
  }
  if (version === 0 && pragma(db, "schema_version") === 0) return true;
  throw new StoreError(
    "answer",
    `${path} is another program's; move it away, or name another folder in MATRIXRTC_STATE_DIR`,
  );
}

function moveAside(path: string, now: number): string {
  const aside = `${path}.corrupt-${new Date(now).toISOString().replaceAll(":", "-")}`;
  try {
    Deno.renameSync(path, aside);
    // What is not in the file yet stands in the log beside it; a tool for repairs wants both.
    for (const suffix of ["-wal", "-shm", "-journal"]) {
      unlessMissing(() => Deno.renameSync(path + suffix, aside + suffix));
    }
  } catch (error) {
    const message = `${path} is damaged and cannot be moved aside; ${REMEDY}`;
    throw new StoreError("answer", message, { cause: error });
  }
  return aside;
}

function unlessMissing(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Undoes what was begun, if SQLite has not done so itself. */
export function rollBack(db: DatabaseSync): void {
  try {
    db.exec("ROLLBACK");
  } catch {
    // Nothing to undo.
  }
}

function closeQuietly(db: DatabaseSync): void {
  try {
    db.close();
  } catch {
    // The error that made us close it says more.
  }
}

function pragma(db: DatabaseSync, name: string): unknown {
  return Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  // The lower byte is the primary code, the rest says more precisely where.
  if ("errcode" in error && error.errcode !== undefined) return Number(error.errcode) & 0xff;
  // Deno knows the number where a statement fails, not where opening or exec() does.
  return CODES.find(({ text }) => error.message.startsWith(text))?.code;
}
