/** What handing a delayed leave event over takes, whichever endpoint it comes through. */

import type { Job } from "../delayed_leave/job.ts";
import { type MatrixError, UpstreamError } from "../matrix/errors.ts";
import type { Access } from "./identify_user.ts";

/** What delegating needs of the rest of the service. */
export interface Delegation {
  /** Whether the service will learn that a participant has gone. */
  isPossible(): boolean;
  /** Whether users with this access may hand their leaves over. */
  isOpenTo(access: Access): boolean;
  /** @throws {UpstreamError} When it cannot be found out where the server's client API is. */
  resolveClientApi(serverName: string, timeoutMs: number): Promise<void>;
  /**
   * Resolves once the job is kept.
   *
   * @throws {MatrixError} When there are too many jobs.
   * @throws {UpstreamError} When it could not be kept.
   */
  delegate(job: Job, timeoutMs: number): Promise<void>;
}

/** Old clients try again without the delay fields when they read this with `M_BAD_JSON`. */
export const FULL_ACCESS_ONLY =
  "Delegation of delayed events is only supported for full access users";

/** How long keeping a job may take: long enough for a store that stumbles. */
const KEEP_TIMEOUT_MS = 8_000;
/** For finding a client API: enough for a file and its redirects. */
export const RESOLVE_TIMEOUT_MS = 6_000;

/**
 * Finds out where the leave is to be sent, before anything else is done that
 * would have to be undone.
 *
 * @param refuse Makes the error for the client.
 */
export async function prepareDelegation(
  serverName: string,
  timeoutMs: number,
  delegation: Delegation,
  refuse: (message: string, cause: UpstreamError) => MatrixError,
): Promise<void> {
  try {
    await delegation.resolveClientApi(serverName, Math.min(RESOLVE_TIMEOUT_MS, timeoutMs));
  } catch (cause) {
    if (!(cause instanceof UpstreamError)) throw cause;
    throw refuse("Unable to resolve client-server API", cause);
  }
}

/**
 * Hands the leave over.
 *
 * @param refuse Makes the error for the client when the job could not be kept.
 * @throws {MatrixError} What the client is to be told.
 */
export async function takeOver(
  job: Job,
  timeoutMs: number,
  delegation: Delegation,
  refuse: (message: string, cause: UpstreamError) => MatrixError,
): Promise<void> {
  try {
    await delegation.delegate(job, Math.min(KEEP_TIMEOUT_MS, timeoutMs));
  } catch (cause) {
    if (!(cause instanceof UpstreamError)) throw cause;
    throw refuse("Delegation of delayed events is not possible at the moment", cause);
  }
}
