import type { Logger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import type { OpenIdToken } from "../matrix/wire.ts";
import type { Pseudonym } from "../observability/pseudonym.ts";
import type { TokenExchange } from "../usecases/exchange_token.ts";
import type { Endpoint, RequestContext } from "./endpoint.ts";
import { parseJson, readBody } from "./read_json.ts";

/** What the two token endpoints differ in. */
export interface TokenEndpointOptions<Body extends { readonly openIdToken: OpenIdToken }> {
  readonly parse: (body: unknown) => Body;
  /** @param deadline In the terms of `clock.monotonic`. */
  readonly exchange: (body: Body, deadline: number) => Promise<TokenExchange>;
  readonly log: Logger;
  readonly pseudonym: Pseudonym;
  readonly clock: Clock;
}

const MAX_BODY_BYTES = 64 * 1024;
const BODY_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;

/** Makes an endpoint that hands out join tokens: `{"url","jwt"}`, and one log line for each. */
export function createTokenEndpoint<Body extends { readonly openIdToken: OpenIdToken }>(
  options: TokenEndpointOptions<Body>,
): Endpoint {
  const { clock, log, pseudonym } = options;
  const limits = { maxBytes: MAX_BODY_BYTES, timeoutMs: BODY_TIMEOUT_MS, clock };
  return async (request, context: RequestContext) => {
    const startedAt = clock.monotonic();
    const body = options.parse(parseJson(await readBody(request, limits)));
    context.facts.server = body.openIdToken.serverName;
    const exchange = await options.exchange(body, startedAt + REQUEST_TIMEOUT_MS);
    log.info("issued a join token", {
      endpoint: context.route,
      access: exchange.access,
      server: body.openIdToken.serverName,
      ms: Math.round(clock.monotonic() - startedAt),
      user: pseudonym(exchange.userId),
      room: exchange.room,
      request: context.requestId,
    });
    return {
      status: 200,
      contentType: "application/json",
      body: JSON.stringify({ url: exchange.sfuUrl, jwt: exchange.joinToken }),
    };
  };
}
