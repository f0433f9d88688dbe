import { assertEquals } from "@std/assert";
import type { MatrixClient, MatrixUser, OpenIdToken } from "./matrix_client.ts";
import type { JoinDetails } from "./participant.ts";

/** The call that a client wants to join. */
export interface Call {
  roomId: string;
  /** The slot; `m.call#ROOM` is the one that clients of `/sfu/get` mean without saying so. */
  slotId: string;
}

/** The slot that `/sfu/get` stands for. */
export const LEGACY_SLOT = "m.call#ROOM";

/** The body of a `/get_token` request, as clients send it. */
export function getTokenBody(user: MatrixUser, token: OpenIdToken, call: Call) {
  return {
    room_id: call.roomId,
    slot_id: call.slotId,
    openid_token: token,
    member: {
      id: memberId(user),
      claimed_user_id: user.userId,
      claimed_device_id: user.deviceId,
    },
  };
}

/** The body of a `/sfu/get` request, as clients send it. */
export function sfuGetBody(user: MatrixUser, token: OpenIdToken, call: Call) {
  return { room: call.roomId, openid_token: token, device_id: user.deviceId };
}

/** The member ID that a user's client made up. */
export function memberId(user: MatrixUser): string {
  return `member-of-${user.deviceId}`;
}

/** Sends a JSON body to the service and returns its answer. */
export async function post(
  serviceUrl: string,
  path: string,
  body: unknown,
  client?: Deno.HttpClient,
  // deno-lint-ignore no-explicit-any -- the tests look into whatever came
): Promise<{ status: number; body: any }> {
  const response = await fetch(new URL(path, serviceUrl), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    ...(client === undefined ? {} : { client }),
  });
  return { status: response.status, body: await response.json() };
}

/** Makes the whole exchange by `/get_token`, from the homeserver's OpenID token to the join token. */
export async function getToken(
  serviceUrl: string,
  homeserver: MatrixClient,
  user: MatrixUser,
  call: Call,
): Promise<JoinDetails> {
  const token = await homeserver.requestOpenIdToken(user);
  return expectToken(await post(serviceUrl, "/get_token", getTokenBody(user, token, call)));
}

/** The same by `/sfu/get`. */
export async function sfuGet(
  serviceUrl: string,
  homeserver: MatrixClient,
  user: MatrixUser,
  call: Call,
): Promise<JoinDetails> {
  const token = await homeserver.requestOpenIdToken(user);
  return expectToken(await post(serviceUrl, "/sfu/get", sfuGetBody(user, token, call)));
}

function expectToken({ status, body }: Awaited<ReturnType<typeof post>>): JoinDetails {
  assertEquals(status, 200, JSON.stringify(body));
  assertEquals(Object.keys(body).sort(), ["jwt", "url"]);
  return body;
}
