import type { Logger } from "@logtape/logtape";
import { serverNameOfUserId } from "../matrix/user_id.ts";
import { describeError, hopFact } from "../observability/logger.ts";
import type { Pseudonym } from "../observability/pseudonym.ts";
import type { RemoveParticipant } from "../sfu/remove_participant.ts";
import { SfuError } from "../sfu/twirp.ts";
import type { CallMember } from "../signing/member_seal.ts";
import type { CallParticipant } from "./call_participant.ts";

/** What removing needs. */
export interface RemovalOptions {
  readonly removeParticipant: RemoveParticipant;
  readonly log: Logger;
  readonly pseudonym: Pseudonym;
}

/** Removes participants, and tells the operator once when the SFU does not let it. */
export class Removal {
  readonly #options: RemovalOptions;
  #isStopped = false;
  #isTold = false;
  #failures = 0;

  constructor(options: RemovalOptions) {
    this.#options = options;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Nobody is removed any more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Ends the participant's connection. Where the SFU does not do it, the next sweep tries again. */
  async remove({ room, identity }: CallParticipant, { userId }: CallMember): Promise<void> {
    if (this.#isStopped) return;
    const { log, pseudonym, removeParticipant } = this.#options;
    try {
      await removeParticipant(room, identity);
    } catch (error) {
      this.onSfuError(error);
      return;
    }
    log.info("removed a participant whose user is not in the room any more", {
      server: serverNameOfUserId(userId),
      user: pseudonym(userId),
      room,
    });
  }

  /**
   * Takes note of a call to the SFU that has failed.
   *
   * @throws The error itself, unless it is the SFU's.
   */
  onSfuError(error: unknown): void {
    if (!(error instanceof SfuError)) throw error;
    this.#failures++;
    if (this.#isTold || this.#isStopped) return;
    this.#isTold = true;
    this.#options.log.warning("whoever leaves a Matrix room may stay in its call: the SFU fails", {
      error: describeError(error),
      ...hopFact(error),
    });
  }

  /** A sweep has ended; if no call has failed since the one before, an outage is over. */
  onSwept(): void {
    if (this.#failures === 0) this.#isTold = false;
    this.#failures = 0;
  }
}
