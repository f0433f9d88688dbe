/**
 * Bounds on what one server may take of this service, so that a server that
 * hangs delays nobody else's users.
 */

import type { Clock } from "../clock.ts";
import { UnavailableError, UpstreamError } from "../matrix/errors.ts";

/** How much one server may take. */
export interface GateLimits {
  /** Requests under way to the server at once; others wait for their turn. */
  readonly maxInFlight: number;
  /** Requests under way or waiting; more are refused at once. */
  readonly maxInWork: number;
}

interface Gate {
  inFlight: number;
  readonly waiting: Set<() => void>;
}

/** Lets requests to servers through, a few at a time each. */
export class ServerGates {
  readonly #gates = new Map<string, Gate>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Runs an action when it is the server's turn.
   *
   * @param timeoutMs How long the turn may take to come.
   * @throws {UnavailableError} When too much waits for this server already.
   * @throws {UpstreamError} `load`, when the turn did not come in time.
   */
  async run<T>(
    serverName: string,
    limits: GateLimits,
    timeoutMs: number,
    action: () => Promise<T>,
  ): Promise<T> {
    let gate = this.#gates.get(serverName);
    if (gate === undefined) this.#gates.set(serverName, gate = { inFlight: 0, waiting: new Set() });
    if (gate.inFlight + gate.waiting.size >= limits.maxInWork) {
      throw new UnavailableError("Too many requests of this homeserver's users are in work", 2);
    }
    if (gate.inFlight >= limits.maxInFlight) await this.#turn(serverName, gate, timeoutMs);
    else gate.inFlight++;
    try {
      return await action();
    } finally {
      this.#leave(serverName, gate);
    }
  }

  #turn(serverName: string, { waiting }: Gate, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = () => {
        cancel();
        resolve();
      };
      const cancel = this.#clock.after(timeoutMs, () => {
        waiting.delete(enter);
        reject(new UpstreamError("load", `too many requests to ${serverName} are under way`));
      });
      waiting.add(enter);
    });
  }

  #leave(serverName: string, gate: Gate): void {
    const [next] = gate.waiting;
    if (next !== undefined) {
      // The place passes on, so the count stays.
      gate.waiting.delete(next);
      next();
    } else if (--gate.inFlight === 0) this.#gates.delete(serverName);
  }
}
