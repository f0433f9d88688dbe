import { setImmediate } from "node:timers";

/**
 * Lets everything run that waits neither for a clock nor for the world outside:
 * however long the chain of promises, it has come to its end afterwards.
 */
export function settle(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
