import type { Clock } from "../clock.ts";
import { nextLookMs } from "./next_look.ts";
import type { Sighting } from "./sfu_view.ts";

/** What a check needs. */
export interface ArrivalCheckDeps {
  /** @param timeoutMs Without it, a look may take its time. */
  readonly look: (timeoutMs?: number) => Promise<Sighting>;
  /** The participant is there. */
  readonly onPresent: (sid: string) => void;
  /** The participant has not come. */
  readonly onMissed: () => void;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** How long a participant is expected; milliseconds of the monotonic clock. */
export interface Patience {
  /** When the last look is due. */
  readonly until: number;
  /** The same while the SFU only rests: it may have the participant. */
  readonly untilAtMost: number;
}

/** The longest wait before looking again for who has not come yet. */
const EXPECT_AGAIN_MS = 60_000;
/** The last look for somebody who never came must not delay the leave. */
const LAST_LOOK_MS = 1_000;

/** Looks for a participant who has not come yet, until it is pointless. */
export class ArrivalCheck {
  readonly #patience: Patience;
  readonly #deps: ArrivalCheckDeps;
  #looks = 0;
  #isOver = false;
  #cancelNext: (() => void) | undefined;

  constructor(patience: Patience, deps: ArrivalCheckDeps) {
    this.#patience = patience;
    this.#deps = deps;
    void this.#look();
  }

  /** Ends the check; nothing is told any more. */
  end(): void {
    this.#isOver = true;
    this.#cancelNext?.();
  }

  async #look(): Promise<void> {
    const { clock, look, onMissed, onPresent, random } = this.#deps;
    const { until, untilAtMost } = this.#patience;
    const isLast = clock.monotonic() >= until;
    const sighting = await look(isLast ? LAST_LOOK_MS : undefined);
    if (this.#isOver) return;
    if (sighting.kind === "present") {
      onPresent(sighting.sid);
      return;
    }
    const now = clock.monotonic();
    const rests = sighting.kind === "unknown" && sighting.everAnswered;
    if (isLast && (!rests || now >= untilAtMost)) {
      onMissed();
      return;
    }
    const wait = nextLookMs(++this.#looks, EXPECT_AGAIN_MS, random());
    this.#cancelNext = clock.after(
      isLast ? wait : Math.min(wait, until - now),
      () => void this.#look(),
    );
  }
}
