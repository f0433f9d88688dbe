import type { Clock } from "../clock.ts";
import { nextLookMs } from "./next_look.ts";
import type { Sighting } from "./sfu_view.ts";

/** Why a participant is looked for although there had been a connection. */
export interface Doubt {
  /** The SFU itself has told its end: that counts where the SFU has never answered a question. */
  readonly isTold: boolean;
  /** Milliseconds between two looks that find nobody. */
  readonly confirmAfterMs: number;
}

/** What a check needs. */
export interface AbsenceCheckDeps {
  readonly look: () => Promise<Sighting>;
  /** The participant is there after all. */
  readonly onPresent: (sid: string) => void;
  /** The participant is gone. */
  readonly onGone: () => void;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** Who was not found is looked for once more after this: reconnecting takes up to 100 ms, */
const CONFIRM_AFTER_MS = 500;
/** or longer where the SFU has told the client to come back. */
const CONFIRM_RETURN_AFTER_MS = 3_000;
const RETURNING: ReadonlySet<string> = new Set([
  "DUPLICATE_IDENTITY",
  "MIGRATION",
  "SERVER_SHUTDOWN",
  "STATE_MISMATCH",
]);
/** The longest wait before an SFU that could not be asked is asked again. */
const ASK_AGAIN_MS = 10_000;

/** A look at the SFU, or time without one, has raised the doubt. */
export const FOUND_MISSING: Doubt = { isTold: false, confirmAfterMs: CONFIRM_AFTER_MS };

/**
 * The doubt that the end of a connection raises.
 *
 * @param reason LiveKit's name of a DisconnectReason. The end of a connection that
 * makes room for another one says nothing by itself.
 */
export function doubtAfter(reason: string): Doubt {
  return RETURNING.has(reason)
    ? { isTold: false, confirmAfterMs: CONFIRM_RETURN_AFTER_MS }
    : { isTold: true, confirmAfterMs: CONFIRM_AFTER_MS };
}

/** Looks for a participant until it is certain whether they are gone. */
export class AbsenceCheck {
  readonly doubt: Doubt;
  readonly #deps: AbsenceCheckDeps;
  #misses = 0;
  #failures = 0;
  #isUnanswered = false;
  #isOver = false;
  #cancelNext: (() => void) | undefined;

  constructor(doubt: Doubt, deps: AbsenceCheckDeps) {
    this.doubt = doubt;
    this.#deps = deps;
    void this.#look();
  }

  /** Whether the last look brought no answer, so that there is no telling when the next one will. */
  get isUnanswered(): boolean {
    return this.#isUnanswered;
  }

  /** Ends the check; nothing is told any more. */
  end(): void {
    this.#isOver = true;
    this.#cancelNext?.();
  }

  async #look(): Promise<void> {
    const { clock, look, onGone, onPresent, random } = this.#deps;
    const sighting = await look();
    if (this.#isOver) return;
    if (sighting.kind === "present") {
      onPresent(sighting.sid);
      return;
    }
    this.#isUnanswered = sighting.kind === "unknown";
    // Where the SFU cannot be asked at all, what it has told has to do.
    const isMiss = sighting.kind === "absent" || (!sighting.everAnswered && this.doubt.isTold);
    if (isMiss && ++this.#misses === 2) {
      onGone();
      return;
    }
    const wait = isMiss
      ? this.doubt.confirmAfterMs
      : nextLookMs(++this.#failures, ASK_AGAIN_MS, random());
    this.#cancelNext = clock.after(wait, () => void this.#look());
  }
}
