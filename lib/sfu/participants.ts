/** Who is in the rooms of the SFU. */

import { parseAttributes } from "./attributes.ts";
import { SfuError, type Twirp } from "./twirp.ts";

/** Someone who is in a room, or is just coming in. */
export interface Participant {
  readonly identity: string;
  /** LiveKit's ID of this very connection. */
  readonly sid: string;
  /** What the join token or the participant has attached; absent where there is nothing. */
  readonly attributes?: Readonly<Record<string, string>>;
}

/** A room that exists. */
export interface RoomState {
  readonly name: string;
  /** LiveKit's ID of this very room; another one of the same name has another. */
  readonly sid: string;
  /** LiveKit counts anew every few seconds only. */
  readonly numParticipants: number;
}

/** Looks into rooms. Each call throws {@linkcode SfuError}, after 5 s at the latest. */
export interface Participants {
  /** @returns `undefined` when LiveKit itself says that nobody of this identity is there. */
  find(room: string, identity: string): Promise<Participant | undefined>;
  /** @returns Nobody for a room that does not exist. */
  list(room: string): Promise<readonly Participant[]>;
  /**
   * @param names Those of interest; none means all rooms.
   * @returns The rooms that exist.
   */
  listRooms(names: readonly string[]): Promise<readonly RoomState[]>;
}

/** A participant with many tracks takes some kilobytes: enough for thousands. */
const MAX_LIST_BYTES = 16 * 1024 * 1024;

/** Makes {@linkcode Participants} of a way to call RoomService. */
export function createParticipants(twirp: Twirp): Participants {
  return {
    async find(room, identity) {
      try {
        const body = { room, identity };
        const grant = { roomAdmin: room };
        return parseParticipant(await twirp({ method: "GetParticipant", grant, body }));
      } catch (error) {
        // The status alone would not do: a proxy's 404 says nothing about participants.
        if (error instanceof SfuError && error.twirpCode === "not_found") return undefined;
        throw error;
      }
    },
    async list(room) {
      const { participants } = await twirp({
        method: "ListParticipants",
        grant: { roomAdmin: room },
        body: { room },
        maxBodyBytes: MAX_LIST_BYTES,
      }).catch((error: unknown) => {
        if (error instanceof SfuError && error.twirpCode === "not_found") {
          return { participants: [] };
        }
        throw error;
      });
      return asList("ListParticipants", participants)
        .map(parseParticipant)
        .filter((participant) => participant !== undefined);
    },
    async listRooms(names) {
      const { rooms } = await twirp({
        method: "ListRooms",
        grant: "roomList",
        body: { names },
        maxBodyBytes: MAX_LIST_BYTES,
      });
      return asList("ListRooms", rooms).map(({ name, sid, num_participants }) => ({
        name: asText(name),
        sid: asText(sid),
        numParticipants: Number(num_participants) || 0,
      }));
    },
  };
}

/** @returns `undefined` for one who has gone: LiveKit may still be clearing up. */
function parseParticipant(
  { identity, sid, state, attributes }: Record<string, unknown>,
): Participant | undefined {
  if (state === "DISCONNECTED" || state === 3) return undefined;
  // One without a name would be absent to everybody who looks for him, and absence costs a call.
  if (asText(identity) === "") throw notLiveKit("a participant without identity");
  return { identity: asText(identity), sid: asText(sid), ...parseAttributes(attributes) };
}

function asList(method: string, value: unknown): Record<string, unknown>[] {
  // Protobuf's JSON may leave out what is empty.
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every((entry) => typeof entry === "object" && entry)) {
    throw notLiveKit(`${method} without a list`);
  }
  return value;
}

function notLiveKit(found: string): SfuError {
  return new SfuError("answer", `${found} in an answer (is this LiveKit?)`);
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}
