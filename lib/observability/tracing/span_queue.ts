import type { Logger } from "@logtape/logtape";
import type { Clock } from "../../clock.ts";
import type { Deliver } from "./collector.ts";
import type { Span } from "./span.ts";

/** What the queue needs. */
export interface SpanQueueOptions {
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  readonly deliver: Deliver;
  readonly encode: (spans: readonly Span[]) => string;
  /** Where spans go, for the log. */
  readonly place: string;
}

/** Spans of one request to the collector. */
const BATCH = 512;
/** How long the first span of a batch waits for others. */
const BATCH_MS = 5_000;
/** Spans in memory, beside the batch that is on its way: half a kilobyte each. */
const MAX_WAITING = 2_048;
const TIMEOUT_MS = 10_000;
/** After these a batch is given up, so that what waits behind it is not the older news. */
const MAX_ATTEMPTS = 5;
const FIRST_RETRY_MS = 1_000;
/** The longest that a collector may ask to wait. */
const MAX_RETRY_MS = 30_000;
/** No more than one line a minute about spans that there was no room for. */
const LOSS_REPORT_MS = 60_000;

/**
 * Keeps spans until they are sent, in batches, by itself. Nobody ever waits for it: what there is
 * no room for is dropped and counted.
 */
export class SpanQueue {
  readonly #options: SpanQueueOptions;
  readonly #waiting: Span[] = [];
  #cancelTimer: (() => void) | undefined;
  /** The batches that are being sent; until then the timer, or nothing, runs. */
  #sending: Promise<void> | undefined;
  #onTheWay = 0;
  #lost = 0;
  #reportedAt = -Infinity;
  #isOut = false;
  /** When to stop, in the terms of `monotonic`; from then on nothing is sent again. */
  #endsAt: number | undefined;
  #wake = () => {};

  constructor(options: SpanQueueOptions) {
    this.#options = options;
  }

  /** Takes a span. */
  add(span: Span): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#lost++;
      return;
    }
    this.#waiting.push(span);
    this.#schedule();
  }

  /** Sends what waits, once; tells the log what could not be sent. */
  async flush(timeoutMs: number): Promise<void> {
    const { clock, log, place } = this.#options;
    this.#endsAt = clock.monotonic() + timeoutMs;
    this.#wake();
    await new Promise<void>((resolve) => {
      const cancel = clock.after(timeoutMs, resolve);
      void this.#sendRest().finally(() => {
        cancel();
        resolve();
      });
    });
    const lost = this.#lost + this.#onTheWay + this.#waiting.length;
    if (lost > 0) log.warning(`${lost} spans of traces did not get to ${place}`);
  }

  async #sendRest(): Promise<void> {
    while (this.#sending !== undefined || (this.#waiting.length > 0 && !this.#isOver)) {
      this.#start();
      await this.#sending;
    }
  }

  #schedule(): void {
    if (this.#sending !== undefined || this.#endsAt !== undefined) return;
    if (this.#waiting.length >= BATCH) this.#start();
    else if (this.#waiting.length > 0) {
      this.#cancelTimer ??= this.#options.clock.after(BATCH_MS, () => this.#start());
    }
  }

  #start(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
      this.#schedule();
    });
  }

  /** Sends until less than a batch is left; at the end, until nothing is. */
  async #sendAll(): Promise<void> {
    do {
      // Not within whatever request has made the batch full.
      await Promise.resolve();
      const batch = this.#waiting.splice(0, BATCH);
      this.#onTheWay = batch.length;
      if (batch.length > 0) await this.#send(batch);
      this.#onTheWay = 0;
    } while (this.#waiting.length >= (this.#endsAt === undefined ? BATCH : 1) && !this.#isOver);
  }

  get #isOver(): boolean {
    return this.#endsAt !== undefined && this.#options.clock.monotonic() >= this.#endsAt;
  }

  async #send(batch: readonly Span[]): Promise<void> {
    const { clock, deliver, encode, random } = this.#options;
    const body = encode(batch);
    for (let attempt = 1;; attempt++) {
      const left = (this.#endsAt ?? Infinity) - clock.monotonic();
      const delivery = await deliver(body, Math.min(TIMEOUT_MS, Math.max(left, 1)));
      if (delivery.kind === "taken") {
        this.#lost += delivery.rejected;
        this.#reportSuccess();
        return;
      }
      this.#reportOutage(delivery.reason);
      if (delivery.kind === "refused" || attempt === MAX_ATTEMPTS || this.#endsAt !== undefined) {
        this.#lost += batch.length;
        return;
      }
      const backoff = FIRST_RETRY_MS * 2 ** (attempt - 1) * (0.5 + random() / 2);
      await this.#wait(Math.min(Math.max(backoff, delivery.waitMs ?? 0), MAX_RETRY_MS));
    }
  }

  /** Waits, or until the end has come. */
  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  #reportOutage(reason: string): void {
    if (this.#isOut) return;
    this.#isOut = true;
    const { log, place } = this.#options;
    log.warning(
      `traces do not get to ${place}: ${reason}; requests go on, spans are dropped once ` +
        `${MAX_WAITING} wait`,
    );
  }

  #reportSuccess(): void {
    const { clock, log, place } = this.#options;
    const now = clock.monotonic();
    const lost = this.#lost;
    if (this.#isOut) {
      log.info(`traces get to ${place} again, ${lost} spans were lost`);
    } else if (lost > 0 && now - this.#reportedAt >= LOSS_REPORT_MS) {
      log.warning(
        `${lost} spans of traces were lost, ${place} did not take them or was too slow: ` +
          "trace a smaller share with OTEL_TRACES_SAMPLER",
      );
    } else return;
    this.#isOut = false;
    this.#lost = 0;
    this.#reportedAt = now;
  }
}
