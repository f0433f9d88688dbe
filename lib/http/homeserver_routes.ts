/** The endpoints that only the own homeserver calls: for its clients, and for other servers. */

import { STATUS_CODE } from "@std/http/status";
import { UnauthorizedError } from "../matrix/errors.ts";
import {
  type FederationTokenRequest,
  type HomeserverDelegateRequest,
  type HomeserverTokenRequest,
  parseFederationTokenRequest,
  parseHomeserverDelegateRequest,
  parseHomeserverTokenRequest,
} from "../matrix/homeserver_wire.ts";
import { isServerName } from "../matrix/server_name.ts";
import type { DelegatedLeave } from "../usecases/delegate_delayed_leave.ts";
import type { CallAccess } from "../usecases/homeserver_mode/call_access.ts";
import { onlyWhile, TOOK_OVER } from "./delegate_endpoint.ts";
import type { Endpoint, Route } from "./endpoint.ts";
import { createJsonEndpoint, type JsonEndpointDeps } from "./json_endpoint.ts";
import type { WorkLimit } from "./work_limit.ts";

/**
 * Acts for somebody whom the homeserver has identified.
 *
 * @param caller A user ID, or the server name of another server; of user IDs the text is unchecked.
 * @param deadline In the terms of `clock.monotonic`.
 */
export type ActFor<Body, Result> = (
  body: Body,
  caller: string,
  deadline: number,
) => Promise<Result>;

/** What the endpoints need. */
export interface HomeserverRoutesOptions extends JsonEndpointDeps {
  /** @throws {AccessTokenError} For requests that are not the homeserver's. */
  readonly checkHsToken: (headers: Headers) => void;
  readonly ownServerName: string;
  readonly getToken: ActFor<HomeserverTokenRequest, CallAccess>;
  readonly federationGetToken: ActFor<FederationTokenRequest, CallAccess>;
  readonly delegate: ActFor<HomeserverDelegateRequest, DelegatedLeave>;
  /** Whether delegation can work; the answer may change while the service runs. */
  readonly isDelegationPossible: () => boolean;
  /** How many requests of clients, and of other servers, may be in hand. */
  readonly limits: { readonly clients: WorkLimit; readonly servers: WorkLimit };
}

/** Makes the routes, by path without prefix; stable and unstable paths are one. */
export function createHomeserverRoutes(
  options: HomeserverRoutesOptions,
): Readonly<Record<string, Route>> {
  const { checkHsToken, limits, ownServerName } = options;

  /** Only the homeserver knows its token, so only then its word about the caller counts. */
  const identify = (header: string) => (request: Request): string => {
    checkHsToken(request.headers);
    const caller = readUtf8(request.headers.get(header) ?? "");
    if (caller === "") throw new UnauthorizedError({ cause: new Error(`no ${header}`) });
    return caller;
  };
  const identifyUser = identify("x-matrix-user-identifier");
  const identifyServer = identify("x-matrix-origin");
  const accessReply = {
    message: "issued a join token",
    facts: ({ access }: CallAccess) => ({ access }),
    respond: ({ joinToken, url }: CallAccess) => ({
      jwt: joinToken,
      ...(url === undefined ? {} : { url }),
    }),
  };

  const clientGetToken = createJsonEndpoint({
    ...options,
    ...accessReply,
    identify: identifyUser,
    parse: parseHomeserverTokenRequest,
    serverOf: () => ownServerName,
    act: options.getToken,
  });
  const federationGetToken = createJsonEndpoint({
    ...options,
    ...accessReply,
    identify(request) {
      const origin = identifyServer(request);
      if (isServerName(origin)) return origin;
      throw new UnauthorizedError({ cause: new Error("x-matrix-origin is no server name") });
    },
    parse: parseFederationTokenRequest,
    serverOf: (_body, origin) => origin,
    act: options.federationGetToken,
  });
  const delegate = createJsonEndpoint({
    ...options,
    identify: identifyUser,
    parse: parseHomeserverDelegateRequest,
    serverOf: () => ownServerName,
    act: options.delegate,
    message: TOOK_OVER,
    facts: () => ({}),
    respond: () => ({}),
  });
  const ping: Endpoint = ({ headers }) => {
    checkHsToken(headers);
    return { status: STATUS_CODE.OK, contentType: "application/json", body: "{}" };
  };

  // They come from the homeserver's address, whoever causes them.
  const costs = "refusals";
  const forClients = { callers: "matrix-clients", costs, limit: limits.clients } as const;
  const forServers = { callers: "servers", costs, limit: limits.servers } as const;
  return {
    "/_matrix/client/rtc/livekit/get_token": { ...forClients, POST: clientGetToken },
    "/_matrix/client/rtc/livekit/delegate_delayed_leave": {
      ...forClients,
      POST: onlyWhile(options.isDelegationPossible, delegate),
    },
    "/_matrix/federation/rtc/livekit/get_token": { ...forServers, POST: federationGetToken },
    "/_matrix/app/ping": { callers: "servers", costs, POST: ping },
  };
}

/** Headers arrive as one character for each byte; user IDs may hold more than ASCII. */
function readUtf8(header: string): string {
  const bytes = Uint8Array.from(header, (character) => character.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return "";
  }
}
