/** What a fake homeserver does for its application service, as Synapse 1.163 does it. */

import { Counter } from "./counter.ts";
import { proxyToService } from "./homeserver_proxy.ts";

/** A room, as the homeserver sees it. */
export interface FakeRoom {
  /** Those who are joined, the users of all servers. */
  readonly users?: readonly string[];
  /** Servers that are joined though none of `users` is theirs. */
  readonly servers?: readonly string[];
}

/** A question whether somebody is joined. */
export interface JoinedQuestion {
  readonly roomId: string;
  /** Who was asked about: a user ID, or a server name. */
  readonly member: string;
  readonly status: number;
  /** What was answered, if it was an answer. */
  readonly joined?: boolean;
}

/** A request that the homeserver was to sign and send for its application service. */
export interface FederationCall {
  readonly destination: string;
  readonly method: string;
  readonly path: string;
  readonly body: Record<string, unknown>;
}

/** What the other server answered; `null` for content that is no JSON. */
export interface FederationAnswer {
  readonly status: number;
  readonly content: Record<string, unknown> | null;
}

/** The service of another homeserver, reached as if that homeserver passed the request on. */
export interface RemoteService {
  readonly serviceUrl: string;
  readonly hsToken: string;
}

/** The application service, and how its homeserver treats it. All of it may be changed later. */
export interface AppServiceSettings {
  /** The only token that is good. */
  asToken: string;
  /** The homeserver's name, to other servers; none: that under which it listens. */
  serverName?: string;
  /** By room ID; of other rooms the homeserver knows nothing. */
  rooms: Record<string, FakeRoom>;
  /** Paths of `is_joined` that are there. Synapse has the unstable one. */
  joinedPaths: "unstable" | "stable" | "both" | "none";
  /** Whether the registration has the scope that `is_joined` needs. */
  hasScope: boolean;
  /** Whether there is a `fed_proxy`. */
  hasFedProxy: boolean;
  /** Other servers by name; a destination that is neither here nor answered for is dead. */
  remotes: Record<string, RemoteService>;
  /** Answers for another server; `undefined` lets {@linkcode remotes} answer. */
  answerFor?(call: FederationCall): FederationAnswer | undefined;
  /** Looks at every request with a good token first; what it returns is the answer. */
  respond?(request: Request): Response | undefined | Promise<Response | undefined>;
}

/** What a fake homeserver does for its application service, and what it was asked. */
export interface AppService {
  readonly settings: AppServiceSettings;
  /** Every `is_joined` with a good token, oldest first. Tests may empty it. */
  readonly questions: JoinedQuestion[];
  /** Every request that was to be sent to other servers, oldest first. Tests may empty it. */
  readonly federationCalls: FederationCall[];
  /** How often somebody came with a bad token, or none. */
  readonly refused: number;
  /** Resolves once so many questions have been asked in all. */
  asked(count: number): Promise<void>;
  /** Answers a request; `undefined` for those that are for somebody else. */
  respond(request: Request): Promise<Response | undefined>;
}

const JOINED =
  /^\/_matrix\/client\/(?:(v3)|unstable\/io\.element\.msc4502)\/rooms\/([^/]*)\/is_joined$/;
const FED_PROXY = "/_matrix/client/unstable/io.element.msc4512/appservice/fed_proxy";
const PROXIED = /^\/_matrix\/federation\/(?:unstable\/[^/]+|v[^/]+)\/rtc\/livekit(?:\/.*)?$/;
const ERRCODE_PREFIX = "IO.ELEMENT.MSC4512.M_FEDPROXY_";

/**
 * Makes it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createAppService } from "./app_service.ts";
 *
 * const room = { users: ["@alice:example.org"] };
 * const service = createAppService({ asToken: "as", rooms: { "!a:example.org": room } }, "hs");
 * const path = "/_matrix/client/unstable/io.element.msc4502/rooms/!a%3Aexample.org/is_joined";
 * const url = `http://hs${path}?mxid=%40alice%3Aexample.org`;
 * const request = new Request(url, { headers: { authorization: "Bearer as" } });
 * assertEquals(await (await service.respond(request))!.json(), { joined: true });
 * ```
 *
 * @param given What is to be otherwise than with Synapse as it should be set up, and no rooms.
 * @param ownName The homeserver's name where the settings have none.
 */
export function createAppService(
  given: Partial<AppServiceSettings> & { asToken: string },
  ownName: string,
): AppService {
  const settings: AppServiceSettings = {
    rooms: {},
    joinedPaths: "unstable",
    hasScope: true,
    hasFedProxy: true,
    remotes: {},
    ...given,
  };
  const questions: JoinedQuestion[] = [];
  const federationCalls: FederationCall[] = [];
  const asked = new Counter();
  let refused = 0;

  function answerJoined(roomId: string, url: URL): Response {
    if (!settings.hasScope) {
      const scope = "urn:matrix:client:io.element.msc4502:rooms:is_joined";
      return matrixError(403, "M_FORBIDDEN", `Missing ${scope} scope`);
    }
    const userId = url.searchParams.get("mxid");
    const serverName = url.searchParams.get("server_name");
    if (!roomId.startsWith("!")) return matrixError(400, "M_INVALID_PARAM", "Invalid room ID");
    if ((userId === null) === (serverName === null)) {
      return matrixError(400, "M_MISSING_PARAM", "Exactly one of the parameters must be given");
    }
    const { users = [], servers = [] } = settings.rooms[roomId] ?? {};
    const joined = userId !== null
      ? users.includes(userId)
      : [...servers, ...users.map(serverOf)].includes(serverName!);
    return Response.json({ joined });
  }

  async function ask(encodedRoomId: string, url: URL): Promise<Response> {
    const roomId = decodeURIComponent(encodedRoomId);
    const answer = answerJoined(roomId, url);
    const { joined } = await answer.clone().json();
    const { searchParams } = url;
    questions.push({
      roomId,
      member: searchParams.get("mxid") ?? searchParams.get("server_name") ?? "",
      status: answer.status,
      ...(joined !== undefined && { joined }),
    });
    asked.increment();
    return answer;
  }

  async function sendToServer(request: Request): Promise<Response> {
    const { destination, method, path, body } = await request.json();
    if (typeof destination !== "string" || destination === "") {
      return matrixError(400, "M_MISSING_PARAM", "Missing or invalid destination");
    }
    if (!["GET", "PUT", "POST", "DELETE"].includes(method)) {
      return matrixError(400, "M_INVALID_PARAM", "method must be one of …");
    }
    if (body !== undefined && (typeof body !== "object" || body === null)) {
      return matrixError(400, "M_INVALID_PARAM", "body must be an object");
    }
    const call: FederationCall = { destination, method, path, body: body ?? {} };
    federationCalls.push(call);
    if (!PROXIED.test(path)) {
      return matrixError(403, `${ERRCODE_PREFIX}PATH_NOT_ALLOWED`, "Path must be under …");
    }
    const origin = settings.serverName ?? ownName;
    if (destination === origin) {
      const error = "Cannot target this homeserver itself";
      return matrixError(403, `${ERRCODE_PREFIX}DESTINATION_DENIED`, error);
    }
    const answer = settings.answerFor?.(call) ?? await passOn(call, origin);
    if (answer !== undefined) return Response.json(answer);
    const error = `Failed to send request: ConnectionRefusedError to ${destination}`;
    return matrixError(502, `${ERRCODE_PREFIX}CONNECTION_FAILED`, error);
  }

  async function passOn(
    { destination, method, path, body }: FederationCall,
    origin: string,
  ): Promise<FederationAnswer | undefined> {
    const remote = settings.remotes[destination];
    if (remote === undefined) return undefined;
    try {
      const answer = await proxyToService(remote, { origin }, path, sortKeys(body), { method });
      return { status: answer.status, content: await answer.json().catch(() => null) };
    } catch {
      return undefined;
    }
  }

  return {
    settings,
    questions,
    federationCalls,
    get refused() {
      return refused;
    },
    asked: (count) => asked.reached(count),
    async respond(request) {
      const url = new URL(request.url);
      const joined = JOINED.exec(url.pathname);
      const isFedProxy = url.pathname === FED_PROXY;
      if (joined === null && !isFedProxy) return undefined;
      const { joinedPaths } = settings;
      const wanted = joined?.[1] === undefined ? "unstable" : "stable";
      const isThere = isFedProxy
        ? settings.hasFedProxy
        : joinedPaths === wanted || joinedPaths === "both";
      if (!isThere) return matrixError(404, "M_UNRECOGNIZED", "Unrecognized request");
      if (request.method !== (isFedProxy ? "POST" : "GET")) {
        return matrixError(405, "M_UNRECOGNIZED", "Unrecognized request");
      }
      const authorization = request.headers.get("authorization");
      if (authorization !== `Bearer ${settings.asToken}`) {
        refused++;
        return authorization === null
          ? matrixError(401, "M_MISSING_TOKEN", "Missing access token")
          : matrixError(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.");
      }
      const given = await settings.respond?.(request);
      if (given !== undefined) return given;
      return joined === null ? await sendToServer(request) : await ask(joined[2]!, url);
    },
  };
}

function serverOf(userId: string): string {
  return userId.slice(userId.indexOf(":") + 1);
}

/** Bodies that have been signed arrive in canonical JSON. */
function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1);
  return Object.fromEntries(entries.map(([name, inner]) => [name, sortKeys(inner)]));
}

function matrixError(status: number, errcode: string, error: string): Response {
  return Response.json({ errcode, error }, { status });
}
