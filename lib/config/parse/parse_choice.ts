import type { LogLevel } from "../config.ts";
import { InvalidValueError, type ParseContext } from "./invalid_value.ts";
import { quoteValue } from "./quote_value.ts";

/**
 * Makes a parser of one word out of several, in any case.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { parseChoice } from "./parse_choice.ts";
 *
 * const parse = parseChoice("text", "json");
 * assertEquals(parse("JSON"), "json");
 * assertThrows(() => parse("xml"), Error);
 * ```
 */
export function parseChoice<T extends string>(...choices: readonly T[]): (text: string) => T {
  return (text) => {
    const choice = choices.find((choice) => choice === text.toLowerCase());
    if (choice === undefined) throw new InvalidValueError("it is none of the words");
    return choice;
  };
}

/**
 * Parses a switch.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseSwitch } from "./parse_choice.ts";
 *
 * assertEquals([parseSwitch("True"), parseSwitch("0")], [true, false]);
 * ```
 */
export function parseSwitch(text: string): boolean {
  const choice = parseChoice("true", "false", "1", "0")(text);
  return choice === "true" || choice === "1";
}

/**
 * Parses a log level. An unknown one is no reason not to serve calls, so it counts as `info`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseLogLevel } from "./parse_choice.ts";
 *
 * const warnings: string[] = [];
 * const context = { warn: (message: string) => warnings.push(message), readFile: () => "" };
 * assertEquals(parseLogLevel("warn", context), "warning");
 * assertEquals(parseLogLevel("loud", context), "info");
 * assertEquals(warnings.length, 1);
 * ```
 */
export function parseLogLevel(text: string, context: ParseContext): LogLevel {
  const level = text.toLowerCase();
  switch (level) {
    case "debug":
    case "info":
    case "warning":
    case "error":
      return level;
    case "warn":
      return "warning";
  }
  context.warn(`is ${quoteValue(text)}, which is no level: taking info`);
  return "info";
}

/** What must be written to switch the verification of certificates off. */
const INSECURE_PHRASE = "YES_I_KNOW_WHAT_I_AM_DOING";

/**
 * Parses the switch that turns the verification of certificates off. Nothing but the exact
 * phrase does it, so that nobody does it by habit.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseInsecureSkipVerifyTls } from "./parse_choice.ts";
 *
 * const context = { warn: () => {}, readFile: () => "" };
 * assertEquals(parseInsecureSkipVerifyTls("true", context), false);
 * assertEquals(parseInsecureSkipVerifyTls("YES_I_KNOW_WHAT_I_AM_DOING", context), true);
 * ```
 */
export function parseInsecureSkipVerifyTls(text: string, context: ParseContext): boolean {
  if (text !== INSECURE_PHRASE) {
    context.warn(
      `is ${quoteValue(text)} and ignored: only ${INSECURE_PHRASE} turns verification off`,
    );
    return false;
  }
  context.warn(
    "is on: CERTIFICATES ARE NOT VERIFIED. Anyone on the way can pose as any homeserver and get " +
      "tokens for its users. Name your own CA in MATRIXRTC_CA_FILE instead",
  );
  return true;
}
