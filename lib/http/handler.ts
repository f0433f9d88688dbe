/** The way of every request: route, limits, endpoint, reply. */

import type { Logger } from "@logtape/logtape";
import { STATUS_CODE } from "@std/http/status";
import { MatrixError } from "../matrix/errors.ts";
import { describeError, hopOf } from "../observability/logger.ts";
import { type RunStep, type StepFacts, unwatched } from "../observability/steps.ts";
import { RateLimitedError } from "../rate_limit/rate_limited_error.ts";
import { CLIENT_API_CORS_HEADERS, CORS_HEADERS } from "./cors.ts";
import type { Endpoint, Reply, RequestContext, Route } from "./endpoint.ts";
import { errorReply, MethodNotAllowedError } from "./error_response.ts";
import { LostBodyError } from "./read_json.ts";
import type { ClientOf, Peer } from "./client_address.ts";
import type { AtCostOf } from "./client_costs.ts";
import { routePath } from "./route_path.ts";
import { shuttingDown } from "./work_limit.ts";

/** Answers requests, and can be told to stop taking new ones. */
export interface Handler {
  /** @param peer The other end of the connection; without it no client is limited. */
  (request: Request, peer?: Peer): Promise<Response>;
  /** From now on all work is refused with 503. Resolves when nothing is in hand any more. */
  drain(): Promise<void>;
}

/** What handling needs. */
export interface HandlerOptions {
  /** By path without prefix. */
  readonly routes: Readonly<Record<string, Route>>;
  readonly log: Logger;
  /** Makes request IDs: short, unique, of letters and digits. */
  readonly nextRequestId: () => string;
  /** Lets clients pay; absent where they may cost what they like. */
  readonly clients?: { readonly clientOf: ClientOf; readonly atCostOf: AtCostOf };
  /** Lets those watch who count and trace. */
  readonly runStep?: RunStep;
}

/** Makes the handler of all routes. */
export function createHandler(options: HandlerOptions): Handler {
  const { routes, log, nextRequestId, clients, runStep = unwatched } = options;
  let inHand = 0;
  let isDraining = false;
  let tellIdle = () => {};

  function logFailure(error: unknown, reply: Reply, { facts, route, requestId }: RequestContext) {
    const hop = hopOf(error);
    if (hop !== undefined) facts.hop = hop;
    if (error instanceof RateLimitedError) {
      facts.limited = error.limited;
      // Who floods the service must not flood its log as well.
      if (!error.isNews) return;
      facts[error.limited] = error.who;
    }
    const properties = {
      endpoint: route,
      status: reply.status,
      ...facts,
      request: requestId,
    };
    const description = describeError(error);
    if (!(error instanceof MatrixError)) log.error(`bug: ${description}`, properties);
    else if (error.status >= 500) log.error(description, properties);
    else if (error.cause !== undefined) log.warning(description, properties);
    else log.info(description, properties);
  }

  function handle(request: Request, peer?: Peer): Promise<Response> {
    const path = routePath(request.url);
    // What is no route has no name either: anybody may ask for anything.
    const name = Object.hasOwn(routes, path) ? path : "other";
    return runStep({ kind: "server", name }, (facts) => answer(request, peer, path, facts));
  }

  /** Runs a request at its client's cost. */
  function charge(
    request: Request,
    peer: Peer | undefined,
    context: RequestContext,
    route: Route | undefined,
    action: () => Promise<Reply>,
  ): Promise<Reply> {
    if (clients === undefined || isPreflight(request, route)) return action();
    // What is not there costs like all else, whatever the path is for.
    const costs = endpointOf(request, route) === undefined ? undefined : route?.costs;
    if (costs === "nothing") return action();
    return clients.atCostOf(clients.clientOf(request.headers, peer), costs, context, action);
  }

  async function answer(
    request: Request,
    peer: Peer | undefined,
    path: string,
    facts: StepFacts,
  ): Promise<Response> {
    const requestId = nextRequestId();
    const context: RequestContext = { requestId, route: path, facts };
    const route = routes[context.route];
    let reply: Reply;
    inHand++;
    try {
      reply = await charge(
        request,
        peer,
        context,
        route,
        () =>
          route?.limit !== undefined && request.method === "POST"
            ? route.limit.run(() => call(request, context, route))
            : call(request, context, route),
      );
    } catch (cause) {
      // Deno 2.9 stops reading bodies when it is to end: then the client is not at fault.
      const error = isDraining && cause instanceof LostBodyError ? shuttingDown() : cause;
      const { status, body, headers } = errorReply(error);
      const contentType = "application/json";
      reply = { status, body: JSON.stringify(body), contentType, headers };
      logFailure(error, reply, context);
    } finally {
      if (--inHand === 0) tellIdle();
    }
    facts.method = request.method;
    facts.status = reply.status;
    facts.request = requestId;
    return respond(reply, request.method, { ...corsOf(route), "x-request-id": requestId });
  }

  function drain(): Promise<void> {
    isDraining = true;
    for (const { limit } of Object.values(routes)) limit?.drain();
    return new Promise((resolve) => {
      tellIdle = resolve;
      if (inHand === 0) resolve();
    });
  }

  return Object.assign(handle, { drain });
}

async function call(
  request: Request,
  context: RequestContext,
  route: Route | undefined,
): Promise<Reply> {
  // Also for unknown paths: a preflight that fails would hide the 404 itself from the client.
  if (isPreflight(request, route)) return { status: STATUS_CODE.OK };
  if (route === undefined) {
    throw new MatrixError("M_UNRECOGNIZED", STATUS_CODE.NotFound, "Unrecognized request");
  }
  const endpoint = endpointOf(request, route);
  if (endpoint !== undefined) return await endpoint(request, context);
  throw new MethodNotAllowedError(allowedMethods(route));
}

function isPreflight({ method }: Request, route: Route | undefined): boolean {
  return method === "OPTIONS" && route?.callers !== "servers";
}

function endpointOf(request: Request, route: Route | undefined): Endpoint | undefined {
  // Deno.serve leaves out the body of an answer to HEAD.
  const method = request.method === "HEAD" ? "GET" : request.method;
  return method === "GET" || method === "POST" ? route?.[method] : undefined;
}

function allowedMethods(route: Route): string[] {
  return [...(route.GET === undefined ? [] : ["GET", "HEAD"]), ...(route.POST ? ["POST"] : [])];
}

function corsOf(route: Route | undefined): Readonly<Record<string, string>> {
  if (route?.callers === "servers") return {};
  return route?.callers === "matrix-clients" ? CLIENT_API_CORS_HEADERS : CORS_HEADERS;
}

function respond(
  reply: Reply,
  method: string,
  common: Readonly<Record<string, string>>,
): Response {
  const headers: Record<string, string> = {
    ...common,
    // Tokens are nobody's to keep, and compressing these few bytes costs more than it saves.
    "cache-control": "no-store, no-transform",
    ...reply.headers,
  };
  if (reply.contentType !== undefined) headers["content-type"] = reply.contentType;
  return new Response(method === "HEAD" ? null : reply.body ?? null, {
    status: reply.status,
    headers,
  });
}
