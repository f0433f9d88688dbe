/** What the benchmarks share: an upstream client that answers from memory, and a request. */

import type { HttpClient, HttpResponse } from "../../lib/net/http_client.ts";
import { createSystemClock } from "../../lib/system_clock.ts";

/** The user's server: delegated, so that resolving it takes the longest way. */
export const SERVER_NAME = "example.org";
/** The user. */
export const USER_ID = "@alice:example.org";
/** The real clock. */
export const clock = createSystemClock();

/** A request for `/get_token` as Element Call sends it. */
export const GET_TOKEN_BODY: Uint8Array<ArrayBuffer> = new TextEncoder().encode(JSON.stringify({
  room_id: "!k5Gq6FwBTKDUkJJn0RrfBKU4YbKzXCkHPzCN0eVQyOw",
  slot_id: "m.call#ROOM",
  openid_token: {
    access_token: "fqYNGxQzDVNqYJnSwvVDKvXk",
    token_type: "Bearer",
    matrix_server_name: SERVER_NAME,
    expires_in: 3600,
  },
  member: {
    id: "0e7ba9c5-7d64-4ad0-8ea1-a8b3a3a8b1f4",
    claimed_user_id: USER_ID,
    claimed_device_id: "JLAFKJWSCS",
  },
}));

const ANSWERS: Record<string, string> = {
  "/.well-known/matrix/server": JSON.stringify({ "m.server": "matrix.example.org:443" }),
  "/_matrix/client/unstable/io.element.msc4502/rooms/!k5Gq6FwBTKDUkJJn0RrfBKU4YbKzXCkHPzCN0eVQyOw/is_joined":
    JSON.stringify({ joined: true }),
  "/_matrix/federation/v1/openid/userinfo": JSON.stringify({ sub: USER_ID }),
  "/twirp/livekit.RoomService/CreateRoom": JSON.stringify({
    sid: "RM_pGRbrUv4eCLi",
    name: "krj2dgxw2K6EOm9he4GfQJ6JsSVWfJ8a7BkyjZcSmxs",
    empty_timeout: 300,
    departure_timeout: 20,
    max_participants: 0,
    creation_time: "1795516265",
  }),
};

/** Answers at once what homeserver and SFU would say; what is left is the service's own work. */
export const client: HttpClient = {
  request(_target, { path }): Promise<HttpResponse> {
    const text = ANSWERS[path.split("?")[0]!];
    if (text === undefined) throw new TypeError(`No answer for ${path}`);
    return Promise.resolve({
      status: 200,
      headers: { "content-type": "application/json" },
      body: new TextEncoder().encode(text),
    });
  },
  close: () => Promise.resolve(),
};
