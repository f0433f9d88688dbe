import { STATUS_CODE } from "@std/http/status";
import {
  InternalError,
  LimitExceededError,
  MatrixError,
  UnavailableError,
} from "../matrix/errors.ts";

/** An error as the client sees it. */
export interface ErrorReply {
  readonly status: number;
  readonly body: {
    readonly errcode: string;
    readonly error: string;
    /** With `M_LIMIT_EXCEEDED` only. */
    readonly retry_after_ms?: number;
  };
  readonly headers: Readonly<Record<string, string>>;
}

/** The path is ours, the method is not: 405 with `Allow`. */
export class MethodNotAllowedError extends MatrixError {
  override readonly name = "MethodNotAllowedError";

  constructor(readonly allowed: readonly string[]) {
    super("M_UNRECOGNIZED", STATUS_CODE.MethodNotAllowed, "Method not allowed");
  }
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
    body: {
      errcode: known.errcode,
      error: known.message,
      ...(known instanceof LimitExceededError
        ? { retry_after_ms: known.retryAfterSeconds * 1000 }
        : {}),
    },
    headers: { ...READABLE, ...headersOf(known) },
  };
}

function headersOf(error: MatrixError): Record<string, string> {
  if (error instanceof UnavailableError || error instanceof LimitExceededError) {
    return { "retry-after": String(error.retryAfterSeconds) };
  }
  if (error instanceof MethodNotAllowedError) return { allow: error.allowed.join(", ") };
  return {};
}
