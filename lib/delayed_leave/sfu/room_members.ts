import type { Clock } from "../../clock.ts";
import type { Participants } from "../../sfu/participants.ts";
import { SfuError } from "../../sfu/twirp.ts";
import type { LiveKitIdentity, LiveKitRoom } from "../../signing/names.ts";

/** Identities of those who are there, and LiveKit's IDs of their connections. */
export type RoomMembers = ReadonlyMap<string, string>;

/**
 * Tells which of several identities are in a room.
 *
 * @throws {SfuError} When the SFU did not tell.
 */
export type FindMembers = (
  room: LiveKitRoom,
  identities: readonly LiveKitIdentity[],
) => Promise<RoomMembers>;

/** How long a server that cannot list participants is not asked to. It may be another one by then. */
const WITHOUT_LISTS_MS = 5 * 60_000;

/**
 * Makes the function that looks for several participants of a room at once: by
 * one list, or one by one where the server, or a proxy in front of it, has no lists.
 */
export function createFindMembers(
  participants: Pick<Participants, "find" | "list">,
  clock: Clock,
): FindMembers {
  let withoutListsUntil = -Infinity;

  async function findEach(room: LiveKitRoom, identities: readonly LiveKitIdentity[]) {
    const members = new Map<string, string>();
    for (const identity of identities) {
      const found = await participants.find(room, identity);
      if (found !== undefined) members.set(identity, found.sid);
    }
    return members;
  }

  return async (room, identities) => {
    if (clock.monotonic() < withoutListsUntil) return await findEach(room, identities);
    try {
      const members = await participants.list(room);
      return new Map(members.map(({ identity, sid }) => [identity, sid]));
    } catch (error) {
      if (!(error instanceof SfuError && error.isUnknownMethod)) throw error;
      const members = await findEach(room, identities);
      withoutListsUntil = clock.monotonic() + WITHOUT_LISTS_MS;
      return members;
    }
  };
}
