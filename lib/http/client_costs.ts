/** What requests cost the client that sends them. */

import { MatrixError, UpstreamError } from "../matrix/errors.ts";
import type { ClientLimit } from "../rate_limit/client_limit.ts";
import type { RequestContext, Route } from "./endpoint.ts";

/** What deciding needs. */
export interface ClientCostsOptions {
  readonly limit: ClientLimit;
  /** Servers that the operator has named. */
  readonly isOwn: (serverName: string) => boolean;
}

/** Runs a request at the cost of its client. */
export type AtCostOf = <T>(
  client: string | undefined,
  costs: Route["costs"],
  context: RequestContext,
  action: () => Promise<T>,
) => Promise<T>;

/**
 * Makes the function that lets clients pay.
 *
 * Failing to verify costs more, as that is what guessing, and having other servers asked in vain,
 * looks like. What nobody could verify, as a server of the operator's own does not answer, is not
 * the client's fault.
 */
export function createClientCosts({ limit, isOwn }: ClientCostsOptions): AtCostOf {
  function hasFailed(error: unknown, { facts }: RequestContext): boolean {
    if (!(error instanceof MatrixError && error.status === 401)) return false;
    const hop = error.cause instanceof UpstreamError ? error.cause.hop : "answer";
    if (hop === "answer") return true;
    return hop !== "load" && !(typeof facts.server === "string" && isOwn(facts.server));
  }

  return async (client, costs, context, action) => {
    if (client === undefined || costs === "nothing") return await action();
    if (costs !== "refusals") limit.admit(client);
    try {
      return await action();
    } catch (error) {
      if (hasFailed(error, context)) {
        if (costs === "refusals") limit.refuse(client);
        else limit.penalize(client);
      }
      throw error;
    }
  };
}
