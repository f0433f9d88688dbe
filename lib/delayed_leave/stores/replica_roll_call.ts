import type { Clock } from "../../clock.ts";

/** How long whoever hears the call may take to answer. */
const ANSWER_MS = 1_000;

/**
 * Finds out which replicas have died without a word, before their leases end.
 *
 * Redis says how many have heard a call: whose process has been killed does not,
 * as its connections are closed. When all who have heard it have answered,
 * whoever has not is gone. A replica that hears and is too busy to answer, or
 * stopped, gives every doubt its benefit.
 */
export class RollCall {
  readonly #clock: Clock;
  readonly #answered = new Set<string>();
  #onAnswer = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A replica has answered. */
  answer(id: string): void {
    this.#answered.add(id);
    this.#onAnswer();
  }

  /**
   * Calls.
   *
   * @param expected Those who count as alive.
   * @param call Sends the call; gives how many others have heard it.
   * @returns Those of the expected who are certainly gone.
   */
  async missing(expected: ReadonlySet<string>, call: () => Promise<number>): Promise<string[]> {
    if (expected.size === 0) return [];
    this.#answered.clear();
    const heardBy = await call();
    if (heardBy >= expected.size) return [];
    await this.#answersOf(heardBy);
    if (this.#answered.size < heardBy) return [];
    return [...expected].filter((id) => !this.#answered.has(id));
  }

  #answersOf(count: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.#onAnswer = () => {};
        resolve();
      };
      const cancel = this.#clock.after(ANSWER_MS, end);
      this.#onAnswer = () => {
        if (this.#answered.size >= count) end();
      };
      this.#onAnswer();
    });
  }
}
