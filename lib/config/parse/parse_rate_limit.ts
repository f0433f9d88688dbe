import { InvalidValueError } from "./invalid_value.ts";

/** So much in so many seconds. */
export interface Rate {
  readonly amount: number;
  readonly seconds: number;
}

/** Longer windows would have to be kept across restarts to mean anything. */
const MAX_SECONDS = 86_400;

/**
 * Parses `amount/seconds`, or `off` for no limit.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseRateLimit } from "./parse_rate_limit.ts";
 *
 * assertEquals(parseRateLimit("600/60"), { amount: 600, seconds: 60 });
 * assertEquals(parseRateLimit("off"), undefined);
 * ```
 */
export function parseRateLimit(text: string): Rate | undefined {
  if (text.toLowerCase() === "off") return undefined;
  const [, amount, seconds] = /^([0-9]{1,9})\s*\/\s*([0-9]{1,5})$/.exec(text) ?? [];
  if (amount === undefined || seconds === undefined) {
    throw new InvalidValueError("it is not two whole numbers with a slash between them");
  }
  const rate = { amount: Number(amount), seconds: Number(seconds) };
  if (rate.amount === 0) throw new InvalidValueError("nobody could come: write off for no limit");
  if (rate.seconds === 0 || rate.seconds > MAX_SECONDS) {
    throw new InvalidValueError(`the seconds are not from 1 to ${MAX_SECONDS}`);
  }
  return rate;
}
