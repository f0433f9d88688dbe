import { UnavailableError } from "../matrix/errors.ts";

const RETRY_AFTER_SECONDS = 1;

/** What is said to whoever comes when the service is about to end. */
export function shuttingDown(): UnavailableError {
  return new UnavailableError("Service is shutting down", RETRY_AFTER_SECONDS);
}

/**
 * Bounds how many requests are in work at once. More are refused: each may
 * hold memory and wait for other servers for seconds.
 */
export class WorkLimit {
  #inWork = 0;
  #isDraining = false;

  /** @param max Requests in work at once; routes with one limit share it. */
  constructor(readonly max: number) {}

  /** @throws {UnavailableError} When there is too much in work, or the service is stopping. */
  async run<T>(action: () => Promise<T>): Promise<T> {
    if (this.#isDraining) throw shuttingDown();
    if (this.#inWork >= this.max) {
      throw new UnavailableError("Too many requests are in work", RETRY_AFTER_SECONDS);
    }
    this.#inWork++;
    try {
      return await action();
    } finally {
      this.#inWork--;
    }
  }

  /** From now on everything is refused. */
  drain(): void {
    this.#isDraining = true;
  }
}
