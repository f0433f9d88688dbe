import { DELAY_ID_PREFIX } from "./delayed_events.ts";

/** Where tokens are asked for: now, and by older clients. */
export type TokenPath = "/get_token" | "/sfu/get";

/** Whose requests to make. */
export interface TokenRequestOptions {
  /** The users' server. */
  serverName: string;
  /** Different rooms, used in turn; `Infinity` for a new one each time. */
  rooms: number;
  /** Different users, used in turn. */
  users: number;
  /** `/get_token` unless told. */
  path?: TokenPath;
  /** Delay of the leave event that is handed over; none is unless told. */
  delayMs?: number;
}

/** Makes the next request for a token, in a buffer of the caller's. */
export interface TokenRequests {
  /** A buffer for one connection. */
  createBuffer(): Uint8Array<ArrayBuffer>;
  /** Writes user and room of a request into the buffer, which is all that differs. */
  fill(buffer: Uint8Array, index: number): void;
}

const USER = "u00000000";
const ROOM = "!r00000000";
const DIGITS = 8;
const ZERO = 48;

/**
 * Prepares requests for a token that are made by changing digits in a finished one.
 *
 * @example The second request of many
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * import { prepareTokenRequests } from "./token_requests.ts";
 *
 * const requests = prepareTokenRequests({ serverName: "localhost:1", rooms: 10, users: 100 });
 * const buffer = requests.createBuffer();
 * requests.fill(buffer, 42);
 * const text = new TextDecoder().decode(buffer);
 * assertStringIncludes(text, `"claimed_user_id":"@u00000042:localhost:1"`);
 * assertStringIncludes(text, `"room_id":"!r00000002"`);
 * ```
 *
 * @param options Server, rooms and users.
 * @returns The requests.
 */
export function prepareTokenRequests(options: TokenRequestOptions): TokenRequests {
  const { serverName, rooms, users, path = "/get_token", delayMs } = options;
  const openid_token = {
    access_token: USER,
    token_type: "Bearer",
    matrix_server_name: serverName,
    expires_in: 3600,
  };
  const delegation = delayMs !== undefined &&
    { delay_id: DELAY_ID_PREFIX + USER, delay_timeout: delayMs };
  const member = {
    id: `member-of-${USER}`,
    claimed_user_id: `@${USER}:${serverName}`,
    claimed_device_id: "DEVICEID",
  };
  const body = JSON.stringify({
    ...(path === "/get_token"
      ? { room_id: ROOM, slot_id: "m.call#ROOM", openid_token, member }
      : { room: ROOM, openid_token, device_id: "DEVICEID" }),
    ...delegation,
  });
  const text = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${body.length}\r\n\r\n${body}`;
  const bytes = new TextEncoder().encode(text);
  const userPlaces = findAll(text, USER).map((at) => at + USER.length);
  const roomPlaces = findAll(text, ROOM).map((at) => at + ROOM.length);
  return {
    createBuffer: () => bytes.slice(),
    fill(buffer, index) {
      for (const end of userPlaces) writeDigits(buffer, end, index % users);
      const room = rooms === Infinity ? index : index % rooms;
      for (const end of roomPlaces) writeDigits(buffer, end, room);
    },
  };
}

function findAll(text: string, part: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + 1)) places.push(at);
  return places;
}

function writeDigits(buffer: Uint8Array, end: number, value: number): void {
  for (let at = end - 1; at >= end - DIGITS; at--) {
    buffer[at] = ZERO + value % 10;
    value = Math.floor(value / 10);
  }
}
