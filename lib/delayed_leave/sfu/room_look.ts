import type { Clock } from "../../clock.ts";
import type { Participant, Participants } from "../../sfu/participants.ts";
import type { LiveKitIdentity, LiveKitRoom } from "../../signing/names.ts";
import type { FindMembers } from "./room_members.ts";
import { Slots } from "../../slots.ts";

/**
 * Looks for a participant under any of the identities.
 *
 * @returns `undefined` for one whom the SFU does not know.
 * @throws {SfuError} When the SFU did not tell.
 */
export type RoomLook = (
  room: LiveKitRoom,
  identities: readonly LiveKitIdentity[],
) => Promise<Participant | undefined>;

/** What looking needs. */
export interface RoomLookOptions {
  readonly participants: Pick<Participants, "find">;
  readonly findMembers: FindMembers;
  readonly clock: Clock;
  /** Asked when it is a call's turn; an error in place of a call that would be for nothing. */
  readonly refuse: () => Error | undefined;
}

interface Asker {
  readonly identities: readonly LiveKitIdentity[];
  resolve(participant: Participant | undefined): void;
  reject(error: unknown): void;
}

/** Whoever asks for the same room within this time shares a call. */
const GATHER_MS = 10;
const CALLS_AT_ONCE = 32;

/**
 * Makes the function that looks into rooms for jobs. One job's question is one
 * call for each identity; those of several jobs in one room are one list.
 */
export function createRoomLook(options: RoomLookOptions): RoomLook {
  const { clock, findMembers, participants, refuse } = options;
  const waiting = new Map<LiveKitRoom, Asker[]>();
  const slots = new Slots(CALLS_AT_ONCE);

  async function findOne(room: LiveKitRoom, identities: readonly LiveKitIdentity[]) {
    for (const identity of identities) {
      const participant = await participants.find(room, identity);
      if (participant !== undefined) return participant;
    }
    return undefined;
  }

  async function answer(room: LiveKitRoom): Promise<void> {
    // Whoever asks from now on needs a newer answer.
    const askers = waiting.get(room) ?? [];
    waiting.delete(room);
    try {
      const refusal = refuse();
      if (refusal !== undefined) throw refusal;
      const [first, ...others] = askers;
      if (first !== undefined && others.length === 0) {
        first.resolve(await findOne(room, first.identities));
        return;
      }
      const members = await findMembers(room, askers.flatMap(({ identities }) => identities));
      for (const { identities, resolve } of askers) {
        const identity = identities.find((identity) => members.has(identity));
        resolve(identity === undefined ? undefined : { identity, sid: members.get(identity)! });
      }
    } catch (error) {
      for (const { reject } of askers) reject(error);
    }
  }

  return (room, identities) =>
    new Promise((resolve, reject) => {
      const asker = { identities, resolve, reject };
      const askers = waiting.get(room);
      if (askers !== undefined) {
        askers.push(asker);
        return;
      }
      waiting.set(room, [asker]);
      clock.after(GATHER_MS, () => void slots.run(() => answer(room)));
    });
}
