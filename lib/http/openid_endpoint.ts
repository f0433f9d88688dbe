import type { Logger } from "@logtape/logtape";
import { STATUS_CODE } from "@std/http/status";
import type { Clock } from "../clock.ts";
import type { OpenIdToken } from "../matrix/wire.ts";
import type { Pseudonym } from "../observability/pseudonym.ts";
import type { Endpoint, RequestContext } from "./endpoint.ts";
import { parseJson, readBody } from "./read_json.ts";

/** What every endpoint that takes an OpenID token needs. */
export interface OpenIdEndpointDeps {
  readonly log: Logger;
  readonly pseudonym: Pseudonym;
  readonly clock: Clock;
}

/** What those endpoints differ in. */
export interface OpenIdEndpointOptions<Body, Result> extends OpenIdEndpointDeps {
  readonly parse: (body: unknown) => Body;
  /** @param deadline In the terms of `clock.monotonic`. */
  readonly act: (body: Body, deadline: number) => Promise<Result>;
  /** What the log says of it. */
  readonly message: string;
  /** What the log line has beside server, user and room. */
  readonly facts: (result: Result) => Readonly<Record<string, string>>;
  /** The fields of the reply. */
  readonly respond: (result: Result) => Readonly<Record<string, string>>;
}

const MAX_BODY_BYTES = 64 * 1024;
const BODY_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;

/** Makes an endpoint that acts for a Matrix user: JSON in, JSON out, and one log line each. */
export function createOpenIdEndpoint<
  Body extends { readonly openIdToken: OpenIdToken },
  Result extends { readonly userId: string; readonly room: string },
>(options: OpenIdEndpointOptions<Body, Result>): Endpoint {
  const { clock, log, pseudonym } = options;
  const limits = { maxBytes: MAX_BODY_BYTES, timeoutMs: BODY_TIMEOUT_MS, clock };
  return async (request, context: RequestContext) => {
    const startedAt = clock.monotonic();
    const body = options.parse(parseJson(await readBody(request, limits)));
    context.facts.server = body.openIdToken.serverName;
    const result = await options.act(body, startedAt + REQUEST_TIMEOUT_MS);
    log.info(options.message, {
      endpoint: context.route,
      ...options.facts(result),
      server: body.openIdToken.serverName,
      ms: Math.round(clock.monotonic() - startedAt),
      user: pseudonym(result.userId),
      room: result.room,
      request: context.requestId,
    });
    return {
      status: STATUS_CODE.OK,
      contentType: "application/json",
      body: JSON.stringify(options.respond(result)),
    };
  };
}
