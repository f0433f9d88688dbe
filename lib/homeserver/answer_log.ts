import type { Logger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import type { UpstreamError } from "../matrix/errors.ts";

/** No more than one warning in this time, however often it comes and goes. */
const WARNING_INTERVAL_MS = 60_000;

/** What {@linkcode AnswerLog} needs. */
export interface AnswerLogOptions {
  readonly serverName: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Tells the operator once that a homeserver does not answer, and once that it does again. */
export class AnswerLog {
  readonly #options: AnswerLogOptions;
  #isTold = false;
  #toldAt = -Infinity;

  constructor(options: AnswerLogOptions) {
    this.#options = options;
  }

  /** The homeserver has answered what it was asked. */
  onAnswer(): void {
    if (!this.#isTold) return;
    this.#isTold = false;
    const { log, serverName } = this.#options;
    log.info("the homeserver answers again", { server: serverName });
  }

  /** It has not. */
  onFailure(error: UpstreamError): void {
    const { log, serverName, clock } = this.#options;
    const now = clock.monotonic();
    if (this.#isTold || now - this.#toldAt < WARNING_INTERVAL_MS) return;
    this.#isTold = true;
    this.#toldAt = now;
    log.warning(`the homeserver does not tell who is in a room: ${error.message}`, {
      server: serverName,
      hop: error.hop,
    });
  }
}
