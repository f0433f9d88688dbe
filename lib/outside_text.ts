/** Text that others have written, made fit for messages and the log. */

/** Longer texts from outside are cut: nothing from there is told whole. */
const MAX_LENGTH = 200;
/** Keeps the search for tokens short. */
const MAX_SEARCHED = 4_096;
const PLAIN = /^[\x20-\x7e]*$/;
// Everything that could end a line, move a terminal's cursor or turn the text around.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
/** A JWT, whole or in part. */
const JWT = /eyJ[\w-]{8,}(?:\.[\w-]*)*/g;
const TOKEN_IN_QUERY = /(access_token=)[^\s&"']+/gi;

/**
 * Makes text fit for one line: what is too long is cut, what cannot be printed escaped.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { printable } from "./outside_text.ts";
 *
 * assertEquals(printable("a\nb", 200), "a\\u{a}b");
 * assertEquals(printable("abc", 2), "ab…");
 * ```
 *
 * @param maxLength In UTF-16 units, before escapes.
 */
export function printable(text: string, maxLength: number): string {
  if (text.length <= maxLength && PLAIN.test(text)) return text;
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
  return cut.replace(
    UNPRINTABLE,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/**
 * Makes a text from outside fit for a message: printable, at most 200 characters, and without the
 * tokens that servers and libraries are known to repeat.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { outsideText } from "./outside_text.ts";
 *
 * assertEquals(outsideText("invalid token: eyJhbGciOiJIUzI1NiJ9.e30.c2ln"), "invalid token: [token]");
 * assertEquals(outsideText("GET /x?access_token=abc"), "GET /x?access_token=[token]");
 * ```
 */
export function outsideText(text: string): string {
  const bare = text.slice(0, MAX_SEARCHED).replace(JWT, "[token]")
    .replace(TOKEN_IN_QUERY, "$1[token]");
  return printable(bare, MAX_LENGTH);
}
