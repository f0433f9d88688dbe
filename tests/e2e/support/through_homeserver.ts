import { assertEquals } from "@std/assert";
import { hashNames } from "./derived_names.ts";
import { type Call, LEGACY_SLOT, memberId } from "./exchange.ts";
import type { HomeserverSide } from "./homeserver_mode_world.ts";
import type { MatrixUser } from "./matrix_client.ts";
import { announce, createCallRoom, enterRoom, type Membership } from "./membership.ts";
import type { JoinDetails } from "./participant.ts";

/** Where clients find MSC4195's endpoints, today and once it is part of the specification. */
export const PREFIXES = {
  unstable: "/_matrix/client/unstable/io.element.msc4195/rtc/livekit",
  stable: "/_matrix/client/v1/rtc/livekit",
};

/** What a client reads of an answer. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // deno-lint-ignore no-explicit-any -- the tests look into whatever came
  readonly body: any;
}

/** What {@linkcode askHomeserver} may be told. */
export interface AskOptions {
  /** Which of {@linkcode PREFIXES}; the unstable one unless told. */
  readonly prefix?: keyof typeof PREFIXES;
  /** Added to those that a client sends. */
  readonly headers?: Record<string, string>;
}

/** Asks a user's own homeserver, as a client does. */
export async function askHomeserver(
  { synapse }: HomeserverSide,
  { accessToken }: MatrixUser,
  endpoint: "get_token" | "delegate_delayed_leave",
  body: unknown,
  { prefix = "unstable", headers = {} }: AskOptions = {},
): Promise<Answer> {
  const response = await synapse.client.fetch(`${PREFIXES[prefix]}/${endpoint}`, {
    method: "POST",
    headers: {
      "authorization": `Bearer ${accessToken}`,
      "content-type": "application/json",
      ...headers,
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** What every body of MSC4195 names. */
export function callBody(
  { sfu }: Pick<HomeserverSide, "sfu">,
  user: MatrixUser,
  { roomId, slotId }: Call,
) {
  return { url: sfu.url, room_id: roomId, slot_id: slotId, member_id: memberId(user) };
}

/**
 * Gets a join token through the user's homeserver.
 *
 * @param side The user's homeserver.
 * @param of Whose SFU it is for; the user's own server's unless told.
 * @throws {AssertionError} When the answer is not a token and nothing else.
 */
export async function getTokenThrough(
  side: HomeserverSide,
  user: MatrixUser,
  call: Call,
  of: HomeserverSide = side,
): Promise<JoinDetails> {
  const { status, body } = await askHomeserver(side, user, "get_token", {
    ...callBody(of, user, call),
    ...(of === side ? {} : { server_name: of.synapse.serverName }),
  });
  assertEquals(status, 200, JSON.stringify(body));
  assertEquals(Object.keys(body), ["jwt"]);
  return { url: of.sfu.url, jwt: body.jwt };
}

/** The identity on an SFU of who came through a homeserver. */
export function identityOf(user: MatrixUser): string {
  return hashNames(user.userId, memberId(user));
}

/** A Matrix room with a call, and who made it. */
export interface CallRoom {
  readonly host: MatrixUser;
  readonly call: Call;
  /** The call's name on an SFU. */
  readonly liveKitRoom: string;
  /** Registers a user who is in the room. */
  enter(side: HomeserverSide, name: string): Promise<MatrixUser>;
}

/**
 * Registers a user who makes a Matrix room.
 *
 * @param name Of the user; the homeserver has no other of this name.
 * @param roomVersion The homeserver's default unless told.
 */
export async function openCallRoom(
  side: HomeserverSide,
  name: string,
  roomVersion?: string,
): Promise<CallRoom> {
  const { client } = side.synapse;
  const host = await client.register(name);
  const roomId = await createCallRoom(client, host, roomVersion);
  return {
    host,
    call: { roomId, slotId: LEGACY_SLOT },
    liveKitRoom: hashNames(roomId, LEGACY_SLOT),
    async enter(of, name) {
      const user = await of.synapse.client.register(name);
      const via = of === side ? undefined : side.synapse.serverName;
      await enterRoom(of.synapse.client, user, roomId, via);
      return user;
    },
  };
}

/** Somebody who has said to be in a call, and has scheduled the leave. */
export interface Announced {
  readonly user: MatrixUser;
  readonly membership: Membership;
  /** What hands the leave over. */
  readonly body: Record<string, string>;
}

/**
 * Says that a user is in the call.
 *
 * @param delayMs When the homeserver sends the leave by itself; an hour unless told.
 */
export async function announceIn(
  side: HomeserverSide,
  user: MatrixUser,
  call: Call,
  delayMs?: number,
): Promise<Announced> {
  const membership = await announce(side.synapse.client, user, call.roomId, delayMs);
  const body = { ...callBody(side, user, call), delay_id: membership.delayId };
  return { user, membership, body };
}
