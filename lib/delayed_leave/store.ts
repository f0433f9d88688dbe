/** What keeps jobs while the service is not running, and says whose they are. */

import { UpstreamError } from "../matrix/errors.ts";
import type { Job, JobKey, StoredJob } from "./job.ts";
import type { ParticipantEvent } from "./participant_event.ts";

/** A store that did not do what it was asked. */
export class StoreError extends UpstreamError {
  override readonly name = "StoreError";
}

/** One change of what is kept. */
export type JobChange =
  /** A new job, in place of whatever is there under its key, whoever runs that. */
  | { readonly kind: "put"; readonly stored: StoredJob }
  /** News of a job that was put or taken over before; changes nothing that is another's now. */
  | { readonly kind: "update"; readonly stored: StoredJob }
  /** The job has ended; leaves alone what has taken its place. */
  | { readonly kind: "remove"; readonly job: Job };

/** `lost`: another replica runs this job now, or a newer one has taken its place there. */
export type ChangeResult = "kept" | "lost";

/** An act on a job that another replica may be doing as well. */
export type Act = "restart" | "send";

/** Who is told what happens in the store. */
export interface StoreListener {
  /** Jobs of a replica that has gone; they are this one's from now on. */
  onTaken(jobs: readonly StoredJob[]): void;
  /** Jobs that are no longer this replica's. */
  onLost(keys: readonly JobKey[]): void;
  /** What another replica has been told of a participant whose job is not there. */
  onEvent(event: ParticipantEvent): void;
  /** After an outage: what was kept may be gone, and is to be written anew. */
  onRecovered(): void;
}

/** Keeps jobs. Only one process, or one replica, runs a job at a time. */
export interface JobStore {
  /**
   * Opens the store and takes the jobs that nobody runs. What cannot be read is
   * put aside and logged, never thrown; what has expired is removed.
   *
   * @throws {StoreError} Within 10 s, naming the remedy, when the store cannot be used.
   */
  start(listener: StoreListener): Promise<readonly StoredJob[]>;
  /**
   * Applies changes, all or in their order.
   *
   * @returns One result for each change.
   * @throws {StoreError} When it is not known that all of them are kept.
   */
  write(changes: readonly JobChange[]): Promise<readonly ChangeResult[]>;
  /**
   * Hands an event to the replica that runs the participant's job. Does nothing
   * where there are no other replicas.
   *
   * @throws {StoreError} When others might need it and could not be told.
   */
  pass(event: ParticipantEvent): Promise<void>;
  /** Whether this process may act on its jobs right now; asked before each act. */
  mayAct(act: Act): boolean;
  /**
   * Whether a task falls to this process that one of the replicas is enough for.
   * While replicas come and go, two may take a task, or none.
   *
   * @param task What tells tasks apart, such as a room's name.
   */
  fallsToThis(task: string): boolean;
  /** Lets go of the jobs, so that others or the next start take them at once. */
  close(): Promise<void>;
}
