import type { MatrixClient, MatrixUser } from "./matrix_client.ts";

/** Says in a room's state that a user is in the call there, as clients of MSC3401 do. */
export interface Membership {
  /** The delayed leave event's ID; a secret. */
  readonly delayId: string;
  /** Whether the room's state says that the user is in the call. */
  isThere(): Promise<boolean>;
  /**
   * Resolves when the leave event arrives in the room, through `/sync` as with other clients.
   *
   * @throws {Error} When it does not in time.
   */
  left(timeoutMs: number): Promise<void>;
  /** Schedules another leave and says again to be in the call, as a client does that came back. */
  announceAgain(): Promise<Membership>;
}

const EVENT_TYPE = "org.matrix.msc3401.call.member";
/** What today's clients ask for. */
const ONE_HOUR_MS = 3_600_000;
/** The longest that one `/sync` waits. */
const LONG_POLL_MS = 10_000;

/**
 * Creates a room in which everybody may say to be in a call, and may come.
 *
 * @param roomVersion The homeserver's default unless told.
 */
export async function createCallRoom(
  client: MatrixClient,
  user: MatrixUser,
  roomVersion?: string,
): Promise<string> {
  const { room_id } = await client.request(user, "POST", "/_matrix/client/v3/createRoom", {
    preset: "public_chat",
    power_level_content_override: { events: { [EVENT_TYPE]: 0 } },
    ...(roomVersion === undefined ? {} : { room_version: roomVersion }),
  });
  return room_id;
}

/**
 * Joins a room.
 *
 * @param via A server that is in the room; needed where the user's own is not.
 */
export async function enterRoom(
  client: MatrixClient,
  user: MatrixUser,
  roomId: string,
  via?: string,
): Promise<void> {
  const query = via === undefined ? "" : `?via=${encodeURIComponent(via)}`;
  await client.request(
    user,
    "POST",
    `/_matrix/client/v3/join/${encodeURIComponent(roomId)}${query}`,
    {},
  );
}

/**
 * Schedules the leave and then says that the user is in the call.
 *
 * @param delayMs When the homeserver sends the leave by itself; an hour unless told.
 */
export async function announce(
  client: MatrixClient,
  user: MatrixUser,
  roomId: string,
  delayMs: number = ONE_HOUR_MS,
): Promise<Membership> {
  const stateKey = `_${user.userId}_${user.deviceId}_m.call`;
  const room = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`;
  const state = `${room}/state/${EVENT_TYPE}/${encodeURIComponent(stateKey)}`;
  const { delay_id: delayId } = await client.request(
    user,
    "PUT",
    `${state}?org.matrix.msc4140.delay=${delayMs}`,
    {},
  );
  await client.request(user, "PUT", state, { application: "m.call", device_id: user.deviceId });

  const filter = encodeURIComponent(JSON.stringify({
    room: { rooms: [roomId], timeline: { types: [EVENT_TYPE] }, state: { types: [EVENT_TYPE] } },
    presence: { types: [] },
  }));
  let since = "";
  /** What has come since the last call: the state of the membership, if it has changed. */
  async function sync(timeoutMs: number): Promise<unknown> {
    const reply = await client.request(
      user,
      "GET",
      `/_matrix/client/v3/sync?filter=${filter}&timeout=${timeoutMs}${since && `&since=${since}`}`,
    );
    since = encodeURIComponent(reply.next_batch);
    const joined = reply.rooms?.join?.[roomId];
    const events = [...joined?.state?.events ?? [], ...joined?.timeline?.events ?? []];
    return events.findLast((event) => event.state_key === stateKey)?.content;
  }

  const isLeave = (content: unknown) =>
    typeof content === "object" && content !== null && Object.keys(content).length === 0;
  return {
    delayId,
    async isThere() {
      return !isLeave(await client.request(user, "GET", state));
    },
    announceAgain: () => announce(client, user, roomId, delayMs),
    async left(timeoutMs) {
      const deadline = performance.now() + timeoutMs;
      while (!isLeave(await sync(Math.min(LONG_POLL_MS, deadline - performance.now()) | 0))) {
        if (performance.now() < deadline) continue;
        throw new Error(`The room's state shows no leave of ${user.userId} after ${timeoutMs} ms`);
      }
    },
  };
}
