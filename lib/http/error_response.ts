import { InternalError, MatrixError, UnavailableError } from "../matrix/errors.ts";

/** An error as the client sees it. */
export interface ErrorReply {
  readonly status: number;
  readonly body: { readonly errcode: string; readonly error: string };
  readonly headers: Readonly<Record<string, string>>;
}

/** What a web page may read of a reply beside the usual, so that a user can quote the ID. */
const READABLE = { "access-control-expose-headers": "X-Request-Id, Retry-After" };

/**
 * Turns any error into a reply. What is no {@linkcode MatrixError} becomes 500
 * with a constant text: its message is for the log.
 */
export function errorReply(error: unknown): ErrorReply {
  const known = error instanceof MatrixError ? error : new InternalError("Internal Server Error");
  return {
    status: known.status,
    body: { errcode: known.errcode, error: known.message },
    headers: known instanceof UnavailableError
      ? { ...READABLE, "retry-after": String(known.retryAfterSeconds) }
      : READABLE,
  };
}
