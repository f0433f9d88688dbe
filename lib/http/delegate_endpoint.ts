import { STATUS_CODE } from "@std/http/status";
import { MatrixError } from "../matrix/errors.ts";
import { type DelegateRequest, parseDelegateRequest } from "../matrix/wire.ts";
import type { DelegatedLeave } from "../usecases/delegate_delayed_leave.ts";
import type { Endpoint } from "./endpoint.ts";
import { createOpenIdEndpoint, type OpenIdEndpointDeps } from "./openid_endpoint.ts";

/** What the endpoint needs. */
export interface DelegateEndpointOptions extends OpenIdEndpointDeps {
  /** @param deadline In the terms of `clock.monotonic`. */
  readonly delegate: (body: DelegateRequest, deadline: number) => Promise<DelegatedLeave>;
  /** Whether delegation can work; the answer may change while the service runs. */
  readonly isPossible: () => boolean;
}

/**
 * Makes `POST /delegate_delayed_leave`. Clients find out by a request without a
 * body whether it is there: 404 makes them go on restarting their events
 * themselves, any other status (400, as the body is missing) makes them delegate.
 */
export function createDelegateEndpoint(
  { delegate, isPossible, ...options }: DelegateEndpointOptions,
): Endpoint {
  const endpoint = createOpenIdEndpoint({
    ...options,
    parse: parseDelegateRequest,
    act: delegate,
    message: "took over a delayed leave",
    facts: () => ({}),
    respond: () => ({}),
  });
  return (request, context) => {
    if (isPossible()) return endpoint(request, context);
    throw new MatrixError(
      "M_UNRECOGNIZED",
      STATUS_CODE.NotFound,
      "Delegation of delayed events is not supported by this service",
    );
  };
}
