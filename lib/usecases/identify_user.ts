import { UnauthorizedError } from "../matrix/errors.ts";
import type { OpenIdToken } from "../matrix/wire.ts";

/** Whether the user's server may cause rooms to be created. */
export type Access = "full" | "restricted";

/** A user whose homeserver has vouched for them. */
export interface IdentifiedUser {
  readonly userId: string;
  readonly serverName: string;
  readonly access: Access;
}

/** What finding out who asks needs of the rest of the service. */
export interface IdentifyUserDeps {
  /** @throws {UnauthorizedError} When nobody vouches for the token in time. */
  verify(token: OpenIdToken, timeoutMs: number): Promise<{ userId: string; serverName: string }>;
  hasFullAccess(serverName: string): boolean;
  /** Milliseconds that never jump. */
  readonly now: () => number;
}

const VERIFICATION_TIMEOUT_MS = 10_000;

/**
 * Finds out who asks, and what they may.
 *
 * @param deadline In the terms of `deps.now`.
 * @throws {MatrixError} When nobody vouches for the user, or for another one than is claimed.
 */
export async function identifyUser(
  request: { readonly openIdToken: OpenIdToken; readonly claimedUserId?: string },
  deadline: number,
  deps: IdentifyUserDeps,
): Promise<IdentifiedUser> {
  const { openIdToken, claimedUserId } = request;
  const timeoutMs = Math.min(VERIFICATION_TIMEOUT_MS, deadline - deps.now());
  const { userId, serverName } = await deps.verify(openIdToken, timeoutMs);
  if (claimedUserId !== undefined && claimedUserId !== userId) {
    throw new UnauthorizedError({ cause: new Error("claimed_user_id is another user") });
  }
  return { userId, serverName, access: deps.hasFullAccess(serverName) ? "full" : "restricted" };
}
