import { STATUS_CODE } from "@std/http/status";
import { MatrixError } from "../matrix/errors.ts";
import { type DelegateRequest, parseDelegateRequest } from "../matrix/wire.ts";
import type { DelegatedLeave } from "../usecases/delegate_delayed_leave.ts";
import type { Endpoint } from "./endpoint.ts";
import { createJsonEndpoint, type JsonEndpointDeps } from "./json_endpoint.ts";

/** What the endpoint needs. */
export interface DelegateEndpointOptions extends JsonEndpointDeps {
  /** @param deadline In the terms of `clock.monotonic`. */
  readonly delegate: (body: DelegateRequest, deadline: number) => Promise<DelegatedLeave>;
  /** Whether delegation can work; the answer may change while the service runs. */
  readonly isPossible: () => boolean;
}

/** What the log says of a leave that was taken over. */
export const TOOK_OVER = "took over a delayed leave";

/**
 * Makes `POST /delegate_delayed_leave`. Clients find out by a request without a
 * body whether it is there: 404 makes them go on restarting their events
 * themselves, any other status (400, as the body is missing) makes them delegate.
 */
export function createDelegateEndpoint(
  { delegate, isPossible, ...options }: DelegateEndpointOptions,
): Endpoint {
  const endpoint = createJsonEndpoint({
    ...options,
    // The body tells.
    identify: () => undefined,
    parse: parseDelegateRequest,
    serverOf: (body) => body.openIdToken.serverName,
    act: (body, _caller, deadline) => delegate(body, deadline),
    message: TOOK_OVER,
    facts: () => ({}),
    respond: () => ({}),
  });
  return onlyWhile(isPossible, endpoint);
}

/** Makes an endpoint that is not there, 404, while delegation cannot work. */
export function onlyWhile(isPossible: () => boolean, endpoint: Endpoint): Endpoint {
  return (request, context) => {
    if (isPossible()) return endpoint(request, context);
    throw new MatrixError(
      "M_UNRECOGNIZED",
      STATUS_CODE.NotFound,
      "Delegation of delayed events is not supported by this service",
    );
  };
}
