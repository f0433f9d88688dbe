import type { Clock } from "../../lib/clock.ts";

/** The most that there was within a while. */
export interface Bursts {
  readonly inOneSecond: number;
  readonly in100Ms: number;
}

/** Counts what happens, and how much of it at once. */
export class Meter<Kind extends string> {
  readonly #clock: Clock;
  readonly #counts = new Map<Kind, number>();
  readonly #second = new Windows(1_000);
  readonly #tenth = new Windows(100);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param count How many at once. */
  count(kind: Kind, count = 1): void {
    const now = this.#clock.monotonic();
    this.#counts.set(kind, this.of(kind) + count);
    this.#second.add(now, count);
    this.#tenth.add(now, count);
  }

  /** How many there have been. */
  of(kind: Kind): number {
    return this.#counts.get(kind) ?? 0;
  }

  /** The largest bursts of all kinds together. */
  get bursts(): Bursts {
    return { inOneSecond: this.#second.most, in100Ms: this.#tenth.most };
  }

  /** Begins anew. */
  reset(): void {
    this.#counts.clear();
    this.#second.most = 0;
    this.#tenth.most = 0;
  }
}

/** Time in pieces of equal length. */
class Windows {
  most = 0;
  readonly #ms: number;
  #number = -1;
  #count = 0;

  constructor(ms: number) {
    this.#ms = ms;
  }

  add(now: number, count: number): void {
    const number = Math.floor(now / this.#ms);
    this.#count = number === this.#number ? this.#count + count : count;
    this.#number = number;
    this.most = Math.max(this.most, this.#count);
  }
}
