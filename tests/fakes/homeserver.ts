import type { Clock } from "../../lib/clock.ts";
import { collectSecret } from "../support/evidence.ts";
import type { TestCertificate } from "../support/test_ca.ts";
import { type AppService, type AppServiceSettings, createAppService } from "./app_service.ts";
import { createDelayedEvents, type DelayedEvents } from "./delayed_events.ts";
import { delay, type HttpServer, type SeenRequest, startHttpServer } from "./http_server.ts";

/** What a fake homeserver knows and how it behaves. All of it may be changed while it runs. */
export interface HomeserverSettings {
  /** OpenID tokens and the user IDs that they belong to. */
  users: Record<string, string>;
  /** How long userinfo and actions on delayed events take. */
  delayMs?: number;
  /** `m.server` of `/.well-known/matrix/server`; 404 there without. */
  wellKnown?: string;
  /** `m.homeserver.base_url` of `/.well-known/matrix/client`; 404 there without. */
  clientBaseUrl?: string;
  /** Looks at every request first; what it returns is the answer. */
  respond?(
    request: Request,
    seen: SeenRequest,
  ): Response | undefined | Promise<Response | undefined>;
}

/** How to start a fake homeserver. */
export interface HomeserverOptions extends HomeserverSettings {
  /** Certificate for HTTPS; plain HTTP without. */
  tls?: TestCertificate;
  /** Address to listen on; 127.0.0.1 unless told. */
  hostname?: string;
  /** Ends the delays of delayed events; real time unless told. */
  clock?: Clock;
  /** Its application service; without, nobody has a good token. `asToken` is for delayed events too. */
  appService?: Partial<AppServiceSettings> & { asToken: string };
}

/** A fake homeserver that listens. `await using homeserver = …` closes it with the block. */
export interface Homeserver extends HttpServer {
  /** A server name that leads here without any look-up: `localhost:4711`. */
  readonly serverName: string;
  /** Its behaviour, to be changed at will. */
  readonly settings: HomeserverSettings;
  /** Its delayed events, and what was asked of them. */
  readonly delayedEvents: DelayedEvents;
  /** What it does for its application service, and what it was asked. */
  readonly appService: AppService;
}

const USERINFO_PATH = "/_matrix/federation/v1/openid/userinfo";

/**
 * Starts a homeserver that can do three things, in the words that Synapse uses: tell whom an OpenID
 * token belongs to, keep delayed events, and serve its application service, if it has one.
 *
 * @example A token and its user
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { startHomeserver } from "./homeserver.ts";
 *
 * await using homeserver = startHomeserver({ users: { "token-1": "@alice:example.org" } });
 * const path = "/_matrix/federation/v1/openid/userinfo?access_token=token-1";
 * const response = await fetch(homeserver.url + path);
 * assertEquals(await response.json(), { sub: "@alice:example.org" });
 * assertEquals(homeserver.requests.length, 1);
 * ```
 *
 * @param options Users, certificate and behaviour.
 * @returns The homeserver, listening already.
 */
export function startHomeserver(options: HomeserverOptions): Homeserver {
  const { tls, hostname, clock, appService: registration, ...settings } = options;
  const delayedEvents = createDelayedEvents(clock);
  if (registration !== undefined) delayedEvents.settings.asToken = registration.asToken;
  const server = startHttpServer({
    ...(tls && { tls }),
    ...(hostname !== undefined && { hostname }),
    async handler(request, seen, closing) {
      const answer = await settings.respond?.(request, seen);
      if (answer !== undefined) return answer;
      const url = new URL(request.url);
      switch (url.pathname) {
        case "/.well-known/matrix/server":
          if (settings.wellKnown === undefined) break;
          return Response.json({ "m.server": settings.wellKnown });
        case "/.well-known/matrix/client":
          if (settings.clientBaseUrl === undefined) break;
          return Response.json({ "m.homeserver": { base_url: settings.clientBaseUrl } });
        case USERINFO_PATH:
          if (request.method !== "GET") {
            return matrixError(405, "M_UNRECOGNIZED", "Unrecognized request");
          }
          if (settings.delayMs !== undefined) await delay(settings.delayMs, closing);
          return userinfo(url.searchParams.get("access_token"), settings.users);
        default: {
          // What has been asked for is done, however late the answer comes.
          const answer = await delayedEvents.respond(request);
          if (answer === undefined) {
            if (registration === undefined) break;
            return await appService.respond(request) ?? unrecognized();
          }
          if (settings.delayMs !== undefined) await delay(settings.delayMs, closing);
          const { status, headers = {}, body } = answer;
          return Response.json(body, { status, headers });
        }
      }
      return unrecognized();
    },
  });
  const closeServer = server.close;
  const close = async () => {
    delayedEvents.close();
    await closeServer();
  };
  const serverName = `localhost:${server.port}`;
  const appService = createAppService(registration ?? { asToken: "" }, serverName);
  return Object.assign(server, {
    serverName,
    settings,
    delayedEvents,
    appService,
    close,
    [Symbol.asyncDispose]: close,
  });
}

/** Synapse takes the token from the query only, and one that is empty for one that is unknown. */
function userinfo(token: string | null, users: Record<string, string>): Response {
  if (token === null) return matrixError(401, "M_MISSING_TOKEN", "Access Token required");
  collectSecret("OpenID token", token);
  if (!Object.hasOwn(users, token)) {
    return matrixError(401, "M_UNKNOWN_TOKEN", "Access Token unknown or expired");
  }
  return Response.json({ sub: users[token] });
}

const unrecognized = () => matrixError(404, "M_UNRECOGNIZED", "Unrecognized request");

function matrixError(status: number, errcode: string, error: string): Response {
  return Response.json({ errcode, error }, { status });
}
