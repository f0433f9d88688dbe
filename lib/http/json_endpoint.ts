import type { Logger } from "@logtape/logtape";
import { STATUS_CODE } from "@std/http/status";
import type { Clock } from "../clock.ts";
import type { Pseudonym } from "../observability/pseudonym.ts";
import type { Endpoint } from "./endpoint.ts";
import { parseJson, readBody } from "./read_json.ts";

/** What every endpoint that acts for a Matrix user needs. */
export interface JsonEndpointDeps {
  readonly log: Logger;
  readonly pseudonym: Pseudonym;
  readonly clock: Clock;
}

/** What those endpoints differ in. */
export interface JsonEndpointOptions<Caller, Body, Result> extends JsonEndpointDeps {
  /** Finds out who calls, before the body is read. */
  readonly identify: (request: Request) => Caller;
  readonly parse: (body: unknown) => Body;
  /** The server whose user it is, for the log. */
  readonly serverOf: (body: Body, caller: Caller) => string;
  /** @param deadline In the terms of `clock.monotonic`. */
  readonly act: (body: Body, caller: Caller, deadline: number) => Promise<Result>;
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
export function createJsonEndpoint<
  Caller,
  Body,
  Result extends { readonly userId: string; readonly room: string },
>(options: JsonEndpointOptions<Caller, Body, Result>): Endpoint {
  const { clock, log, pseudonym } = options;
  const limits = { maxBytes: MAX_BODY_BYTES, timeoutMs: BODY_TIMEOUT_MS, clock };
  return async (request, context) => {
    const startedAt = clock.monotonic();
    const caller = options.identify(request);
    const body = options.parse(parseJson(await readBody(request, limits)));
    const server = options.serverOf(body, caller);
    context.facts.server = server;
    const result = await options.act(body, caller, startedAt + REQUEST_TIMEOUT_MS);
    const facts = options.facts(result);
    Object.assign(context.facts, facts);
    log.info(options.message, {
      endpoint: context.route,
      ...facts,
      server,
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
