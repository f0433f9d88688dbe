import { type ClaimGrants, TokenVerifier } from "livekit-server-sdk";
import type { TestCertificate } from "../support/test_ca.ts";
import { delay, type HttpServer, type SeenRequest, startHttpServer } from "./http_server.ts";
import { type WebhookChanges, type WebhookEvent, webhookRequest } from "./sfu_webhook.ts";

/** The methods of LiveKit's RoomService that the fake knows. */
export type SfuMethod =
  | "CreateRoom"
  | "DeleteRoom"
  | "ListRooms"
  | "GetParticipant"
  | "ListParticipants"
  | "RemoveParticipant";

/** A call that reached the RoomService with a token of ours. */
export interface SfuCall {
  /** The method, whether the fake knows it or not. */
  method: string;
  /** The request as it was sent. */
  body: Record<string, unknown>;
  /** What its token grants. */
  claims: ClaimGrants;
}

/** How a fake SFU behaves. All of it may be changed while it runs. */
export interface SfuSettings {
  /** How long every call takes. */
  delayMs?: number;
  /** Whether it takes requests and never answers; those that it has taken stay without an answer. */
  isHanging?: boolean;
  /** Methods that it does not know, as an older LiveKit or a proxy with a list of its own. */
  unknownMethods?: readonly SfuMethod[];
  /** Looks at every request first; what it returns is the answer. */
  respond?(
    request: Request,
    seen: SeenRequest,
  ): Response | undefined | Promise<Response | undefined>;
}

/** How to start a fake SFU. */
export interface SfuOptions extends SfuSettings {
  /** API key; `devkey` unless told. */
  key?: string;
  /** API secret; {@linkcode SFU_SECRET} unless told. */
  secret?: string;
  /** Path in front of `/twirp`, as behind a reverse proxy: `/livekit/sfu`. */
  prefix?: string;
  /** Certificate for HTTPS; plain HTTP without. */
  tls?: TestCertificate;
  /** Address to listen on; 127.0.0.1 unless told. */
  hostname?: string;
}

/** A fake SFU that listens. `await using sfu = …` closes it with the block. */
export interface Sfu extends HttpServer {
  /** Where its API answers, prefix included, without a slash at the end. */
  readonly apiUrl: string;
  /** The same for `LIVEKIT_URL`: `ws://127.0.0.1:4711/livekit/sfu`. */
  readonly liveKitUrl: string;
  /** API key and secret. */
  readonly key: string;
  readonly secret: string;
  /** Every authentic call so far, oldest first. Tests may empty it. */
  readonly calls: SfuCall[];
  /** How often a method was called. */
  count(method: SfuMethod): number;
  /** Names of the rooms that exist. */
  readonly rooms: string[];
  /** Lets a participant join, creating the room if need be, and returns the participant's SID. */
  join(
    room: string,
    identity: string,
    state?: ParticipantState,
    attributes?: Readonly<Record<string, string>>,
  ): string;
  /**
   * Lets the holder of a join token in, with the attributes that stand in it.
   *
   * @throws {Error} When the token lets nobody in anywhere.
   */
  joinWithToken(joinToken: string): Promise<{ room: string; identity: string; sid: string }>;
  /** Identities of those who are in a room. */
  identities(room: string): string[];
  /** Lets a participant leave. */
  leave(room: string, identity: string): void;
  /** Forgets all rooms, as a crash does. For the crash itself, set `isDown` as well. */
  forgetRooms(): void;
  /**
   * Tells of an event, signed as LiveKit does it.
   *
   * @param url The whole URL of the receiving endpoint.
   * @returns The statuses of the answers, one for each time it was sent.
   */
  sendWebhook(url: string, event: WebhookEvent, changes?: WebhookChanges): Promise<number[]>;
  /** Its behaviour, to be changed at will. */
  readonly settings: SfuSettings;
}

/** How far a participant's connection has come. */
export type ParticipantState = "JOINING" | "JOINED" | "ACTIVE" | "DISCONNECTED";

/** The fake's secret, long enough for what LiveKit advises. */
export const SFU_SECRET = "a-secret-of-thirty-two-characters!";

interface Participant {
  sid: string;
  identity: string;
  state: ParticipantState;
  joinedAtMs: number;
  attributes: Readonly<Record<string, string>>;
}

interface Room {
  sid: string;
  name: string;
  emptyTimeout: number;
  departureTimeout: number;
  maxParticipants: number;
  createdAtMs: number;
  participants: Map<string, Participant>;
}

/** A Twirp error; the code decides the status. */
class TwirpError extends Error {
  constructor(readonly code: keyof typeof TWIRP_STATUS, message: string) {
    super(message);
  }
}

const TWIRP_STATUS = {
  bad_route: 404,
  invalid_argument: 400,
  malformed: 400,
  not_found: 404,
  unauthenticated: 401,
};

/**
 * Starts an SFU without media: LiveKit's RoomService over Twirp JSON, with its token checks, its
 * snake_case answers and its errors.
 *
 * @example A room is created once
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { RoomServiceClient } from "livekit-server-sdk";
 * import { startSfu } from "./sfu.ts";
 *
 * await using sfu = startSfu({});
 * const client = new RoomServiceClient(sfu.apiUrl, sfu.key, sfu.secret);
 * const room = await client.createRoom({ name: "call" });
 * assertEquals((await client.createRoom({ name: "call" })).sid, room.sid);
 * assertEquals(sfu.rooms, ["call"]);
 * assertEquals(sfu.count("CreateRoom"), 2);
 * ```
 *
 * @param options Key, certificate and behaviour.
 * @returns The SFU, listening already.
 */
export function startSfu(options: SfuOptions): Sfu {
  const { key = "devkey", secret = SFU_SECRET, prefix = "", tls, hostname, ...settings } = options;
  const verifier = new TokenVerifier(key, secret);
  const calls: SfuCall[] = [];
  const rooms = new Map<string, Room>();
  const route = `${prefix}/twirp/livekit.RoomService/`;

  const server = startHttpServer({
    ...(tls && { tls }),
    ...(hostname !== undefined && { hostname }),
    async handler(request, seen, closing) {
      if (settings.isHanging) {
        await new Promise((end) => closing.addEventListener("abort", end));
        return new Response();
      }
      const answer = await settings.respond?.(request, seen);
      if (answer !== undefined) return answer;
      const { pathname } = new URL(request.url);
      if (!pathname.startsWith(`${prefix}/`)) return new Response("Not here", { status: 404 });

      // Ahead of Twirp as in LiveKit, hence plain text, the token in it as LiveKit has it.
      const authorization = request.headers.get("authorization");
      let claims: ClaimGrants = {};
      if (authorization !== null) {
        const [, token] = authorization.match(/^Bearer (.+)$/) ?? [];
        if (token === undefined) {
          return new Response("invalid authorization header. Must start with Bearer ", {
            status: 401,
          });
        }
        try {
          claims = await verifier.verify(token);
          if (typeof claims.exp !== "number") throw new TypeError("no expiry");
        } catch (error) {
          return new Response(`invalid token: ${token}, error: ${error}`, { status: 401 });
        }
      }
      try {
        if (request.method !== "POST") {
          throw new TwirpError("bad_route", "unsupported method (only POST is allowed)");
        }
        if (!pathname.startsWith(route)) throw new TwirpError("bad_route", "no handler for path");
        const type = request.headers.get("content-type") ?? "";
        if (type.split(";")[0] !== "application/json") {
          throw new TwirpError("bad_route", `unexpected Content-Type: "${type}"`);
        }
        const method = pathname.slice(route.length);
        if (settings.unknownMethods?.some((unknown) => unknown === method)) {
          return new Response("404 page not found", { status: 404 });
        }
        const body = await readBody(request);
        calls.push({ method, body, claims });
        if (settings.delayMs !== undefined) await delay(settings.delayMs, closing);
        return Response.json(call(rooms, method, body, claims));
      } catch (error) {
        if (!(error instanceof TwirpError)) throw error;
        const { code, message } = error;
        return Response.json({ code, msg: message }, { status: TWIRP_STATUS[code] });
      }
    },
  });

  const getRoom = (name: string) => {
    let room = rooms.get(name);
    if (room === undefined) rooms.set(name, room = createRoom(name, {}));
    return room;
  };
  function join(
    room: string,
    identity: string,
    state: ParticipantState = "ACTIVE",
    attributes: Readonly<Record<string, string>> = {},
  ): string {
    const sid = createSid("PA");
    const joinedAtMs = Date.now();
    getRoom(room).participants.set(identity, { sid, identity, state, joinedAtMs, attributes });
    return sid;
  }
  const apiUrl = server.url + prefix;
  Object.defineProperty(server, "rooms", { get: () => [...rooms.keys()] });
  return Object.assign(server, {
    apiUrl,
    liveKitUrl: apiUrl.replace("http", "ws"),
    key,
    secret,
    calls,
    settings,
    count: (method: SfuMethod) => calls.filter((call) => call.method === method).length,
    join,
    async joinWithToken(joinToken: string) {
      const { sub = "", video = {}, attributes = {} } = await verifier.verify(joinToken);
      const { room = "", roomJoin = false } = video;
      if (!roomJoin || room === "" || sub === "") throw new Error("the token lets nobody in");
      return { room, identity: sub, sid: join(room, sub, "ACTIVE", attributes) };
    },
    identities: (room: string) => [...rooms.get(room)?.participants.keys() ?? []],
    leave: (room: string, identity: string) => {
      rooms.get(room)?.participants.delete(identity);
    },
    forgetRooms: () => rooms.clear(),
    async sendWebhook(url: string, event: WebhookEvent, changes: WebhookChanges = {}) {
      const request = webhookRequest(url, event, { key, secret, ...changes });
      const statuses: number[] = [];
      for (let sent = 0; sent < (changes.times ?? 1); sent++) {
        const response = await fetch(request.clone());
        await response.body?.cancel();
        statuses.push(response.status);
      }
      return statuses;
    },
  }) as Sfu;
}

function call(
  rooms: Map<string, Room>,
  method: string,
  body: Record<string, unknown>,
  { video = {} }: ClaimGrants,
): Record<string, unknown> {
  const demand = (granted: boolean | undefined) => {
    if (!granted) throw new TwirpError("unauthenticated", "permissions denied");
  };
  const name = text(body.room);
  const identity = text(body.identity);
  const findParticipant = () => {
    const participant = rooms.get(name)?.participants.get(identity);
    if (participant) return participant;
    throw new TwirpError("not_found", "participant does not exist");
  };
  switch (method) {
    case "CreateRoom": {
      demand(video.roomCreate);
      const wanted = text(body.name);
      if (wanted === "") throw new TwirpError("invalid_argument", "no room name");
      let room = rooms.get(wanted);
      if (room === undefined) rooms.set(wanted, room = createRoom(wanted, body));
      return roomToJson(room);
    }
    case "DeleteRoom":
      demand(video.roomCreate);
      if (!rooms.delete(name)) throw new TwirpError("not_found", "requested room does not exist");
      return {};
    case "ListRooms": {
      demand(video.roomList);
      const names = Array.isArray(body.names) ? body.names : [];
      const listed = [...rooms.values()].filter((room) =>
        names.length === 0 || names.includes(room.name)
      );
      return { rooms: listed.map(roomToJson) };
    }
    case "GetParticipant":
      demand(video.roomAdmin && video.room === name);
      return participantToJson(findParticipant());
    case "ListParticipants": {
      demand(video.roomAdmin && video.room === name);
      // An absent room is an empty one here, as in LiveKit.
      const participants = rooms.get(name)?.participants.values() ?? [];
      return { participants: [...participants].map(participantToJson) };
    }
    case "RemoveParticipant":
      demand(video.roomAdmin && video.room === name);
      findParticipant();
      rooms.get(name)!.participants.delete(identity);
      return {};
    default:
      throw new TwirpError("bad_route", `no handler for path ${method}`);
  }
}

async function readBody(request: Request): Promise<Record<string, unknown>> {
  try {
    const body = await request.json();
    if (typeof body === "object" && body !== null && !Array.isArray(body)) return body;
  } catch {
    // Answered below like any other body that is no message.
  }
  throw new TwirpError("malformed", "the json request could not be decoded");
}

/** Requests may come in snake_case or, as the SDK's do, in camelCase. */
function createRoom(name: string, body: Record<string, unknown>): Room {
  return {
    sid: createSid("RM"),
    name,
    emptyTimeout: Number(body.empty_timeout ?? body.emptyTimeout ?? 300),
    departureTimeout: Number(body.departure_timeout ?? body.departureTimeout ?? 20),
    maxParticipants: Number(body.max_participants ?? body.maxParticipants ?? 0),
    createdAtMs: Date.now(),
    participants: new Map(),
  };
}

function roomToJson(room: Room): Record<string, unknown> {
  return {
    sid: room.sid,
    name: room.name,
    empty_timeout: room.emptyTimeout,
    departure_timeout: room.departureTimeout,
    max_participants: room.maxParticipants,
    creation_time: String(Math.floor(room.createdAtMs / 1000)),
    creation_time_ms: String(room.createdAtMs),
    turn_password: "turn-password-of-the-fake",
    enabled_codecs: [],
    metadata: "",
    num_participants: room.participants.size,
    num_publishers: 0,
    active_recording: false,
    version: null,
  };
}

function participantToJson(participant: Participant): Record<string, unknown> {
  return {
    sid: participant.sid,
    identity: participant.identity,
    state: participant.state,
    tracks: [],
    metadata: "",
    joined_at: String(Math.floor(participant.joinedAtMs / 1000)),
    joined_at_ms: String(participant.joinedAtMs),
    name: "",
    version: 0,
    permission: null,
    region: "",
    is_publisher: false,
    kind: "STANDARD",
    attributes: participant.attributes,
    disconnect_reason: "UNKNOWN_REASON",
  };
}

function createSid(kind: "RM" | "PA"): string {
  return `${kind}_${crypto.getRandomValues(new Uint8Array(6)).toHex()}`;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
