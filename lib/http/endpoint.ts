/** What the handler and its endpoints say to each other. */

import type { WorkLimit } from "./work_limit.ts";

/** One request on its way through the handler. */
export interface RequestContext {
  /** Stands in the reply's `X-Request-Id` and in the log. */
  readonly requestId: string;
  /** The route without its prefix, such as `/sfu/get`. */
  readonly route: string;
  /** Facts for the log line of a request that fails; endpoints add what they learn. */
  readonly facts: Record<string, string | number>;
}

/** A reply, before the handler puts CORS and the request's ID on it. */
export interface Reply {
  readonly status: number;
  /** `undefined` for an empty body. */
  readonly body?: string;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers requests of one route and method; throws `MatrixError` for anything but success. */
export type Endpoint = (request: Request, context: RequestContext) => Promise<Reply> | Reply;

/** The methods of a route. */
export interface Route {
  readonly GET?: Endpoint;
  readonly POST?: Endpoint;
  /** Who calls it, which decides about CORS; absent: web pages, without credentials of theirs. */
  readonly callers?: "matrix-clients" | "servers";
  /**
   * What its requests cost the client: nothing, as probes do; something only when they fail
   * verification, as those of servers that come by the thousand; absent: each of them something.
   */
  readonly costs?: "nothing" | "refusals";
  /** How many POST requests may be in work; absent for probes, which are always answered. */
  readonly limit?: WorkLimit;
}
