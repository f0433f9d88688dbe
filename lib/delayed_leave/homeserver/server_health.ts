import type { Logger } from "@logtape/logtape";
import type { UpstreamError } from "../../matrix/errors.ts";
import { describeError } from "../../observability/logger.ts";

const MAX_IN_FLIGHT = 64;
/** A server that fails throughout is asked by a few only: enough to see that it works again. */
const MAX_IN_FLIGHT_FAILING = 4;
const FAILURES_THROUGHOUT = 20;
/** Fewer failures are reported, too, if nothing else has come for this long. */
const FAILURES_WORTH_TELLING = 3;
const FAILING_WORTH_TELLING_MS = 2_000;

/** Whether a server works: how many may ask it at once, and what the operator learns of it. */
export class ServerHealth {
  readonly #serverName: string;
  readonly #log: Logger;
  #failures = 0;
  #failingSince = 0;
  #isTold = false;

  constructor(serverName: string, log: Logger) {
    this.#serverName = serverName;
    this.#log = log;
  }

  /** How many requests may be under way at once. */
  get maxInFlight(): number {
    return this.#failures < FAILURES_THROUGHOUT ? MAX_IN_FLIGHT : MAX_IN_FLIGHT_FAILING;
  }

  /** Whether there is nothing to remember. */
  get isWell(): boolean {
    return this.#failures === 0;
  }

  /** The server has answered, whatever it said. */
  onAnswer(): void {
    this.#failures = 0;
    if (!this.#isTold) return;
    this.#isTold = false;
    this.#log.info("delayed events work again on a homeserver", { server: this.#serverName });
  }

  /** @param now Milliseconds of the monotonic clock. */
  onFailure(error: UpstreamError, now: number): void {
    if (this.#failures++ === 0) this.#failingSince = now;
    const properties = { server: this.#serverName, hop: error.hop };
    this.#log.debug("an attempt on a delayed event failed", properties);
    const isLong = this.#failures >= FAILURES_WORTH_TELLING &&
      now - this.#failingSince >= FAILING_WORTH_TELLING_MS;
    if (this.#isTold || !(isLong || this.#failures >= FAILURES_THROUGHOUT)) return;
    this.#isTold = true;
    this.#log.warning(
      `delayed events cannot be managed on a homeserver: ${describeError(error)}`,
      properties,
    );
  }
}
