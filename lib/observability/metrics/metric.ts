/** Counters, gauges and histograms in Prometheus' text format. */

import { type Labels, Series } from "./series.ts";

/** What Prometheus is told of a metric beside its values. */
export interface MetricOptions {
  /** With the unit as the last word, and `_total` for counters. */
  readonly name: string;
  /** One line without line ends or backslashes. */
  readonly help: string;
  readonly labels?: Labels;
}

/** A metric that can be written down. */
export interface Metric {
  readonly name: string;
  /** Its lines, each with a line end. */
  render(): string;
}

/** What only rises, until the process ends. */
export class Counter implements Metric {
  readonly name: string;
  readonly #values: Values;

  constructor(options: MetricOptions) {
    this.name = options.name;
    this.#values = new Values(options, "counter");
  }

  /** @param labels Values in the order in which the labels are declared. */
  add(...labels: string[]): void {
    this.#values.add(labels, 1);
  }

  render(): string {
    return this.#values.render();
  }
}

/** What rises and falls: asked for when it is to be written down. */
export class Gauge implements Metric {
  readonly name: string;
  readonly #values: Values;
  readonly #read: () => Readonly<Record<string, number>> | number | undefined;

  /** @param read The value; by label value where there is a label; `undefined` for none yet. */
  constructor(
    options: MetricOptions & {
      readonly read: () => Readonly<Record<string, number>> | number | undefined;
      /** What is a counter by nature, though somebody else counts. */
      readonly type?: "gauge" | "counter";
    },
  ) {
    this.name = options.name;
    this.#values = new Values(options, options.type ?? "gauge");
    this.#read = options.read;
  }

  render(): string {
    const value = this.#read();
    if (typeof value === "number") this.#values.set([], value);
    else if (value !== undefined) {
      for (const [label, number] of Object.entries(value)) this.#values.set([label], number);
    }
    return this.#values.render(value === undefined);
  }
}

/** What never changes: its labels tell it, its value is 1. */
export class Info implements Metric {
  readonly name: string;
  readonly #text: string;

  /** @param facts Label values by label: the program's own words, which need no escaping. */
  constructor({ name, help }: MetricOptions, facts: Readonly<Record<string, string>>) {
    this.name = name;
    const labels = Object.entries(facts).map(([label, value]) => `${label}="${value}"`).join(",");
    this.#text = `${headOf(name, help, "gauge")}${name}{${labels}} 1\n`;
  }

  render(): string {
    return this.#text;
  }
}

/** How often a value was how large. */
export class Histogram implements Metric {
  readonly name: string;
  readonly #help: string;
  readonly #bounds: readonly number[];
  readonly #series: Series;
  /** By series: one count per bound and one above all, then the sum. */
  readonly #rows = new Map<number, Float64Array>();

  /** @param bounds Upper bounds of the buckets, rising. */
  constructor(options: MetricOptions & { readonly bounds: readonly number[] }) {
    this.name = options.name;
    this.#help = options.help;
    this.#bounds = options.bounds;
    this.#series = new Series(options.labels ?? {});
    // With labels they are many lines, and an average needs no line at 0.
    if (options.labels === undefined) this.#rows.set(0, this.#newRow());
  }

  /** @param labels Values in the order in which the labels are declared. */
  observe(value: number, ...labels: string[]): void {
    const number = this.#series.numberOf(labels);
    let row = this.#rows.get(number);
    if (row === undefined) this.#rows.set(number, row = this.#newRow());
    let at = 0;
    while (at < this.#bounds.length && value > this.#bounds[at]!) at++;
    row[at]! += 1;
    row[this.#bounds.length + 1]! += value;
  }

  render(): string {
    let text = headOf(this.name, this.#help, "histogram");
    for (const [number, row] of this.#rows) {
      const labels = this.#series.textOf(number);
      const before = labels === "" ? "" : `${labels},`;
      let count = 0;
      for (const [at, bound] of [...this.#bounds, "+Inf"].entries()) {
        count += row[at]!;
        text += `${this.name}_bucket{${before}le="${bound}"} ${count}\n`;
      }
      const braced = labels === "" ? "" : `{${labels}}`;
      text += `${this.name}_sum${braced} ${row[this.#bounds.length + 1]}\n`;
      text += `${this.name}_count${braced} ${count}\n`;
    }
    return text;
  }

  #newRow(): Float64Array {
    return new Float64Array(this.#bounds.length + 2);
  }
}

/** One number a series. */
class Values {
  readonly #head: string;
  readonly #name: string;
  readonly #series: Series;
  readonly #numbers = new Map<number, number>();

  constructor({ name, help, labels }: MetricOptions, type: "counter" | "gauge") {
    this.#head = headOf(name, help, type);
    this.#name = name;
    this.#series = new Series(labels ?? {});
    for (const number of this.#series.shownAtOnce()) this.#numbers.set(number, 0);
  }

  add(labels: readonly string[], amount: number): void {
    const number = this.#series.numberOf(labels);
    this.#numbers.set(number, (this.#numbers.get(number) ?? 0) + amount);
  }

  set(labels: readonly string[], value: number): void {
    this.#numbers.set(this.#series.numberOf(labels), value);
  }

  render(isUnknown = false): string {
    let text = this.#head;
    if (isUnknown) return text;
    for (const [number, value] of this.#numbers) {
      const labels = this.#series.textOf(number);
      text += `${this.#name}${labels === "" ? "" : `{${labels}}`} ${value}\n`;
    }
    return text;
  }
}

function headOf(name: string, help: string, type: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}
