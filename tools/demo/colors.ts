/** Marks up text for a terminal; every function returns its text as it is where colours are off. */
export interface Colors {
  /** What deserves the eye first. */
  bold(text: string): string;
  /** What may be skipped. */
  dim(text: string): string;
  /** What went well. */
  green(text: string): string;
  /** What went wrong. */
  red(text: string): string;
  /** Names of things. */
  cyan(text: string): string;
  /** Values worth copying. */
  yellow(text: string): string;
}

/**
 * Chooses whether to mark up.
 *
 * @example Plain where nobody sees colours
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createColors } from "./colors.ts";
 *
 * assertEquals(createColors(false).bold("text"), "text");
 * assertEquals(createColors(true).bold("text"), "\x1b[1mtext\x1b[22m");
 * ```
 *
 * @param enabled Whether the output is a terminal whose owner wants colours.
 * @returns The functions.
 */
export function createColors(enabled: boolean): Colors {
  const wrap = (on: number, off: number) => (text: string) =>
    enabled ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  return {
    bold: wrap(1, 22),
    dim: wrap(2, 22),
    green: wrap(32, 39),
    red: wrap(31, 39),
    cyan: wrap(36, 39),
    yellow: wrap(33, 39),
  };
}
