import type { Logger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import type { RoomMembership } from "../homeserver/room_membership.ts";
import { describeError, hopFact } from "../observability/logger.ts";
import type { CallMember, MemberSeal } from "../signing/member_seal.ts";
import { Slots } from "../slots.ts";
import { type CallParticipant, memberOf } from "./call_participant.ts";
import { mayBeAhead, type RoomQuestions, standingOf } from "./departure.ts";
import type { Removal } from "./removal.ts";

/** What the checks need. */
export interface JoinedChecksOptions {
  readonly removal: Removal;
  readonly seal: Pick<MemberSeal, "open">;
  readonly membership: RoomMembership;
  readonly ownServerName: string;
  readonly clock: Clock;
  readonly log: Logger;
}

const QUESTION_MS = 5_000;
const QUESTIONS_AT_ONCE = 16;
/** Participants being looked at; more of them are left to the sweep. */
const MAX_WAITING = 10_000;
/** From a question without an answer to the next one. */
const RETRY_MS = [1_000, 5_000];

/** Looks at participants as they come: tokens outlive a ban, and one can come back with an old one. */
export class JoinedChecks {
  readonly #options: JoinedChecksOptions;
  readonly #slots = new Slots(QUESTIONS_AT_ONCE);
  readonly #questions: RoomQuestions;
  readonly #timers = new Set<() => void>();
  #waiting = 0;

  constructor(options: JoinedChecksOptions) {
    this.#options = options;
    const { membership, ownServerName } = options;
    this.#questions = {
      isUserJoined: (roomId, userId) => membership.isStillJoined(roomId, { userId }, QUESTION_MS),
      // A call that fills up need not ask this for each; the sweep asks it anew.
      isOwnServerJoined: (roomId) =>
        membership.isJoined(roomId, { serverName: ownServerName }, QUESTION_MS),
    };
  }

  /** Takes note, and returns before anything is asked. */
  onJoined(participant: CallParticipant): void {
    const { log, ownServerName, removal, seal } = this.#options;
    if (removal.isStopped || this.#waiting >= MAX_WAITING) return;
    const member = memberOf(participant, seal);
    if (member === undefined || mayBeAhead(member, ownServerName)) return;
    this.#waiting++;
    this.#check(participant, member)
      .catch((error) =>
        log.error("a participant could not be checked", {
          error: describeError(error),
          ...hopFact(error),
        })
      )
      .finally(() => this.#waiting--);
  }

  /** Ends the waiting for another try. */
  stop(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }

  async #check(participant: CallParticipant, member: CallMember): Promise<void> {
    for (const retryMs of [...RETRY_MS, undefined]) {
      const isKnown = await this.#slots.run(() => this.#judge(participant, member));
      if (isKnown || retryMs === undefined) return;
      await this.#wait(retryMs);
    }
  }

  /** @returns Whether there is nothing more to do. */
  async #judge(participant: CallParticipant, member: CallMember): Promise<boolean> {
    const { ownServerName, removal } = this.#options;
    if (removal.isStopped) return true;
    const standing = await standingOf(member, ownServerName, this.#questions);
    if (standing === "departed") await removal.remove(participant, member);
    return standing !== "unknown";
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(ms, () => {
        this.#timers.delete(cancel);
        resolve();
      });
      this.#timers.add(cancel);
    });
  }
}
