import { InvalidValueError } from "./invalid_value.ts";

/**
 * Makes a parser of whole decimal numbers within a range, both ends included.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { parseInteger } from "./parse_integer.ts";
 *
 * const parse = parseInteger({ min: 60, max: 86400 });
 * assertEquals(parse("3600"), 3600);
 * assertThrows(() => parse("1e3"), Error);
 * assertThrows(() => parse("59"), Error);
 * ```
 */
export function parseInteger(range: { min: number; max: number }): (text: string) => number {
  return (text) => {
    if (!/^[0-9]{1,15}$/.test(text)) throw new InvalidValueError("it is not a whole number");
    const value = Number(text);
    if (value < range.min || value > range.max) throw new InvalidValueError("it is out of range");
    return value;
  };
}
