/**
 * Errors by what the client may learn of them. The message of a
 * {@linkcode MatrixError} goes out; its `cause` goes to the log only.
 */

import { STATUS_CODE } from "@std/http/status";

/** The error codes that this service answers with. */
export type Errcode =
  | "M_BAD_JSON"
  | "M_FORBIDDEN"
  | "M_INVALID_PARAM"
  | "M_LIMIT_EXCEEDED"
  | "M_MISSING_TOKEN"
  | "M_NOT_JSON"
  | "M_TOO_LARGE"
  | "M_UNAUTHORIZED"
  | "M_UNKNOWN"
  | "M_UNKNOWN_TOKEN"
  | "M_UNRECOGNIZED";

/**
 * An answer other than success, in Matrix's terms. The base of all that a
 * handler throws on purpose; anything else becomes 500 `M_UNKNOWN`.
 */
export class MatrixError extends Error {
  override readonly name: string = "MatrixError";

  /**
   * @param errcode The code that clients branch on.
   * @param status The HTTP status that goes with it.
   * @param message For the client's eyes: never a secret, never an address.
   */
  constructor(
    readonly errcode: Errcode,
    readonly status: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const INVALID_REQUEST_STATUS = {
  M_BAD_JSON: STATUS_CODE.BadRequest,
  M_INVALID_PARAM: STATUS_CODE.BadRequest,
  M_NOT_JSON: STATUS_CODE.BadRequest,
  M_TOO_LARGE: STATUS_CODE.ContentTooLarge,
} as const;

/** The request itself is at fault: 400, or 413 for `M_TOO_LARGE`. */
export class InvalidRequestError extends MatrixError {
  override readonly name = "InvalidRequestError";

  constructor(
    errcode: keyof typeof INVALID_REQUEST_STATUS,
    message: string,
    options?: ErrorOptions,
  ) {
    super(errcode, INVALID_REQUEST_STATUS[errcode], message, options);
  }
}

/**
 * Nobody vouched for the token: 401. One text for every cause, so that nobody
 * learns from it what a homeserver or its network looks like.
 */
export class UnauthorizedError extends MatrixError {
  override readonly name = "UnauthorizedError";

  constructor(options?: ErrorOptions) {
    super(
      "M_UNAUTHORIZED",
      STATUS_CODE.Unauthorized,
      "The request could not be authorised.",
      options,
    );
  }
}

/** Vouched for, still not allowed: 403. */
export class ForbiddenError extends MatrixError {
  override readonly name = "ForbiddenError";

  constructor(message: string, options?: ErrorOptions) {
    super("M_FORBIDDEN", STATUS_CODE.Forbidden, message, options);
  }
}

/** Something here or at the SFU is broken: 500. The cause tells the log what. */
export class InternalError extends MatrixError {
  override readonly name = "InternalError";

  constructor(message: string, options?: ErrorOptions) {
    super("M_UNKNOWN", STATUS_CODE.InternalServerError, message, options);
  }
}

/** The caller is not who may call here: 401, telling apart a token that is missing from a wrong one. */
export class AccessTokenError extends MatrixError {
  override readonly name = "AccessTokenError";

  constructor(errcode: "M_MISSING_TOKEN" | "M_UNKNOWN_TOKEN", message: string) {
    super(errcode, STATUS_CODE.Unauthorized, message);
  }
}

/** Another server did not do its part: 502. The cause tells the log which, and what. */
export class BadGatewayError extends MatrixError {
  override readonly name = "BadGatewayError";

  constructor(message: string, options?: ErrorOptions) {
    super("M_UNKNOWN", STATUS_CODE.BadGateway, message, options);
  }
}

/** Not now: 503 with `Retry-After`. */
export class UnavailableError extends MatrixError {
  override readonly name = "UnavailableError";

  /** @param retryAfterSeconds When asking again makes sense; a whole number ≥ 1. */
  constructor(message: string, readonly retryAfterSeconds: number, options?: ErrorOptions) {
    super("M_UNKNOWN", STATUS_CODE.ServiceUnavailable, message, options);
  }
}

/** Too much from one side: 429 with `Retry-After` and `retry_after_ms`. */
export class LimitExceededError extends MatrixError {
  override readonly name: string = "LimitExceededError";

  /** @param retryAfterSeconds When asking again makes sense; a whole number ≥ 1. */
  constructor(message: string, readonly retryAfterSeconds: number) {
    super("M_LIMIT_EXCEEDED", STATUS_CODE.TooManyRequests, message);
  }
}

/** Where on the way to another server a call ended. */
export type Hop =
  /** Our own rules forbade the call: allow lists, address policy. */
  | "policy"
  /** The name has no address, or its name server did not answer. */
  | "dns"
  /** No address accepted a connection. */
  | "tcp"
  /** A connection, but no trusted certificate for the name. */
  | "tls"
  /** Connected, but no complete HTTP answer came back, or none in time. */
  | "http"
  /** A complete answer that says no, or something other than was asked. */
  | "answer"
  /** Too much is already under way for that server. */
  | "load";

/**
 * A call to another server that did not work out. For logs and counters: its
 * message names the target and what to look at, and never reaches a client.
 */
export class UpstreamError extends Error {
  override readonly name: string = "UpstreamError";

  constructor(readonly hop: Hop, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
