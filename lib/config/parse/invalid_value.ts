/**
 * What a parser throws for a value that it does not accept.
 *
 * The message says what is wrong with the value and never quotes a secret. What would be
 * accepted stands beside the parser in the table of variables, so that help, guide and
 * message cannot differ.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { InvalidValueError } from "./invalid_value.ts";
 * import { parseInteger } from "./parse_integer.ts";
 *
 * assertThrows(() => parseInteger({ min: 0, max: 9 })("10"), InvalidValueError, "out of range");
 * ```
 */
export class InvalidValueError extends Error {
  override name = "InvalidValueError";
}

/** What a parser may need besides the text. */
export interface ParseContext {
  /** Notes something that is odd but not refused; the sentence follows the variable's name. */
  warn(message: string): void;
  /**
   * Reads a whole text file of at most `maxBytes`.
   *
   * @throws {InvalidValueError} If the file cannot be read, is empty or too large.
   */
  readFile(path: string, maxBytes: number): string;
}
