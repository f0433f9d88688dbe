/** The series of one metric, one for each combination of its labels' values. */

/** A label's name and all values that it may have; anything else is counted as `other`. */
export type Labels = Readonly<Record<string, readonly string[]>>;

const OTHER = "other";
/** Up to so many series are all shown from the start: what appears with 1 has increased by nothing. */
const MAX_SHOWN_AT_ONCE = 100;

/**
 * Numbers the combinations of label values. Their number is fixed when it is made,
 * so nothing that comes from outside can add a series.
 */
export class Series {
  /** Of all combinations, those with `other` included. */
  readonly size: number;
  readonly #places: readonly ReadonlyMap<string, number>[];
  readonly #texts = new Map<number, string>();
  readonly #names: readonly string[];
  readonly #values: readonly (readonly string[])[];

  constructor(labels: Labels) {
    this.#names = Object.keys(labels);
    this.#values = Object.values(labels).map((values) => [
      ...values.filter((value) => value !== OTHER),
      OTHER,
    ]);
    this.#places = this.#values.map((values) => new Map(values.map((value, at) => [value, at])));
    this.size = this.#values.reduce((size, { length }) => size * length, 1);
  }

  /** @param values In the order of the labels; one that is missing or unknown is `other`. */
  numberOf(values: readonly string[]): number {
    let number = 0;
    for (let at = 0; at < this.#places.length; at++) {
      const { length } = this.#values[at]!;
      number = number * length + (this.#places[at]!.get(values[at] ?? OTHER) ?? length - 1);
    }
    return number;
  }

  /** The series that are shown before anything is known of them. */
  *shownAtOnce(): Iterable<number> {
    const known = this.#values.reduce((size, { length }) => size * (length - 1), 1);
    if (known > MAX_SHOWN_AT_ONCE) return;
    for (let number = 0; number < this.size; number++) {
      if (!this.#valuesOf(number).includes(OTHER)) yield number;
    }
  }

  /** `endpoint="/sfu/get",result="ok"`; empty without labels. */
  textOf(number: number): string {
    let text = this.#texts.get(number);
    if (text === undefined) {
      text = this.#valuesOf(number).map((value, at) => `${this.#names[at]}="${value}"`).join(",");
      this.#texts.set(number, text);
    }
    return text;
  }

  #valuesOf(number: number): string[] {
    const values: string[] = [];
    for (let at = this.#values.length - 1; at >= 0; at--) {
      const { length } = this.#values[at]!;
      values.unshift(this.#values[at]![number % length]!);
      number = Math.floor(number / length);
    }
    return values;
  }
}
