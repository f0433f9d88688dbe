import type { OpenIdToken } from "../matrix/wire.ts";
import type { TokenExchange } from "../usecases/exchange_token.ts";
import type { Endpoint } from "./endpoint.ts";
import { createJsonEndpoint, type JsonEndpointDeps } from "./json_endpoint.ts";

/** What the two token endpoints differ in. */
export interface TokenEndpointOptions<Body> extends JsonEndpointDeps {
  readonly parse: (body: unknown) => Body;
  /** @param deadline In the terms of `clock.monotonic`. */
  readonly exchange: (body: Body, deadline: number) => Promise<TokenExchange>;
}

/** Makes an endpoint that hands out join tokens: `{"url","jwt"}`. */
export function createTokenEndpoint<Body extends { readonly openIdToken: OpenIdToken }>(
  { exchange, ...options }: TokenEndpointOptions<Body>,
): Endpoint {
  return createJsonEndpoint({
    ...options,
    // The body tells.
    identify: () => undefined,
    serverOf: (body) => body.openIdToken.serverName,
    act: (body, _caller, deadline) => exchange(body, deadline),
    message: "issued a join token",
    facts: ({ access, isLeaveDelegated }) => ({
      access,
      ...(isLeaveDelegated ? { leave: "delegated" } : {}),
    }),
    respond: ({ sfuUrl, joinToken }) => ({ url: sfuUrl, jwt: joinToken }),
  });
}
