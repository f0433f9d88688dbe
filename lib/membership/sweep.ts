import type { Member, RoomMembership } from "../homeserver/room_membership.ts";
import type { Participants } from "../sfu/participants.ts";
import type { CallMember, MemberSeal } from "../signing/member_seal.ts";
import { Slots } from "../slots.ts";
import { type CallParticipant, memberOf } from "./call_participant.ts";
import { mayBeAhead, type RoomQuestions, type Standing, standingOf } from "./departure.ts";
import type { Removal } from "./removal.ts";

/** What sweeping needs. */
export interface SweepOptions {
  readonly participants: Pick<Participants, "list" | "listRooms">;
  readonly removal: Removal;
  readonly seal: Pick<MemberSeal, "open">;
  readonly membership: Pick<RoomMembership, "isStillJoined">;
  readonly ownServerName: string;
  /** Whether this process looks after a room, and not another replica. */
  readonly fallsToThis: (room: string) => boolean;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** A member of a Matrix room, and the participants that stand for it: a device each. */
interface Found {
  readonly key: string;
  readonly member: CallMember;
  readonly participants: CallParticipant[];
}

/** How long the homeserver has for one question. */
const QUESTION_MS = 5_000;
const QUESTIONS_AT_ONCE = 16;
const LISTS_AT_ONCE = 8;
/**
 * So many failures in a row, and it is the server that fails. There may be some
 * rooms that it always fails for, even on purpose; the order of each sweep being
 * another one, they do not keep the others from being looked at.
 */
const MAX_FAILURES_IN_A_ROW = 16;

/** Goes through all calls on the SFU and removes those who are no longer in the Matrix room. */
export class Sweep {
  readonly #options: SweepOptions;
  /** Who the homeserver did not know as joined the last time, but it may not have heard yet. */
  #doubted: ReadonlySet<string> = new Set();

  constructor(options: SweepOptions) {
    this.#options = options;
  }

  /** One sweep, never two at once. Ends early where SFU or homeserver do not answer. */
  async run(): Promise<void> {
    try {
      const found = await this.#findMembers();
      if (found !== undefined) await this.#judge(found);
    } finally {
      this.#options.removal.onSwept();
    }
  }

  /** @returns `undefined` if the SFU does not tell. */
  async #findMembers(): Promise<Found[] | undefined> {
    const { participants, removal, seal } = this.#options;
    const rooms = await this.#listRooms();
    if (rooms === undefined) return undefined;
    const found = new Map<string, Found>();
    const failures = new FailuresInARow();
    await this.#each(rooms, LISTS_AT_ONCE, failures, async (room) => {
      try {
        for (const { identity, attributes } of await participants.list(room)) {
          const participant = { room, identity, ...(attributes && { attributes }) };
          const member = memberOf(participant, seal);
          if (member !== undefined) add(found, member, { room, identity });
        }
        failures.onSuccess();
      } catch (error) {
        removal.onSfuError(error);
        failures.onFailure();
      }
    });
    return failures.areTooMany ? undefined : [...found.values()];
  }

  async #listRooms(): Promise<string[] | undefined> {
    const { fallsToThis, participants, removal } = this.#options;
    try {
      // LiveKit counts late who is in a room, so those that it calls empty are looked at, too.
      const rooms = await participants.listRooms([]);
      return rooms.map(({ name }) => name).filter(fallsToThis);
    } catch (error) {
      removal.onSfuError(error);
      return undefined;
    }
  }

  async #judge(all: readonly Found[]): Promise<void> {
    const { ownServerName, removal } = this.#options;
    const failures = new FailuresInARow();
    const questions = this.#questions(failures);
    const standings = new Map<string, Standing>();
    await this.#each(all, QUESTIONS_AT_ONCE, failures, async ({ key, member, participants }) => {
      const standing = await standingOf(member, ownServerName, questions);
      standings.set(key, standing);
      if (standing !== "departed") return;
      if (mayBeAhead(member, ownServerName) && !this.#doubted.has(key)) return;
      for (const participant of participants) await removal.remove(participant, member);
    });
    const doubted = all.filter(({ key }) => {
      const standing = standings.get(key) ?? "unknown";
      return standing === "departed" || (standing === "unknown" && this.#doubted.has(key));
    });
    this.#doubted = new Set(doubted.map(({ key }) => key));
  }

  /** Questions of one sweep; for each room it is asked once whether the own server is in it. */
  #questions(failures: FailuresInARow): RoomQuestions {
    const { membership, ownServerName } = this.#options;
    const rooms = new Map<string, Promise<boolean>>();

    async function ask(roomId: string, member: Member): Promise<boolean> {
      try {
        const isJoined = await membership.isStillJoined(roomId, member, QUESTION_MS);
        failures.onSuccess();
        return isJoined;
      } catch (error) {
        failures.onFailure();
        throw error;
      }
    }
    return {
      isUserJoined: (roomId, userId) => ask(roomId, { userId }),
      isOwnServerJoined(roomId) {
        const asked = rooms.get(roomId) ?? ask(roomId, { serverName: ownServerName });
        rooms.set(roomId, asked);
        // The room's next member has a chance of its own.
        asked.catch(() => rooms.delete(roomId));
        return asked;
      },
    };
  }

  /** Does something with each, in any order, until all is done, fails too often, or is stopped. */
  async #each<T>(
    items: readonly T[],
    atOnce: number,
    failures: FailuresInARow,
    act: (item: T) => Promise<void>,
  ): Promise<void> {
    const slots = new Slots(atOnce);
    await Promise.all(
      shuffled(items, this.#options.random).map((item) =>
        slots.run(async () => {
          if (!failures.areTooMany && !this.#options.removal.isStopped) await act(item);
        })
      ),
    );
  }
}

class FailuresInARow {
  #count = 0;

  get areTooMany(): boolean {
    return this.#count >= MAX_FAILURES_IN_A_ROW;
  }

  onFailure(): void {
    this.#count++;
  }

  onSuccess(): void {
    // Those that were under way when it was given up do not bring it back.
    if (!this.areTooMany) this.#count = 0;
  }
}

function add(found: Map<string, Found>, member: CallMember, participant: CallParticipant): void {
  const key = JSON.stringify([member.way, member.userId, member.roomId]);
  const known = found.get(key);
  if (known === undefined) found.set(key, { key, member, participants: [participant] });
  else known.participants.push(participant);
}

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const all = [...items];
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all;
}
