/**
 * Takes a list apart that is separated by commas, blanks or both, and drops what is repeated.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { splitList } from "./split_list.ts";
 *
 * assertEquals(splitList("a, b\nc,,a"), ["a", "b", "c"]);
 * ```
 */
export function splitList(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter((entry) => entry !== ""))];
}
