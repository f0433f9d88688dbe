/** Longer values are cut: whoever wrote one recognises it by its beginning. */
const MAX_SHOWN = 200;

/** Keeps the search for passwords short; what comes later is cut off in any case. */
const MAX_SEARCHED = 4096;

/**
 * Makes a value fit for a terminal and a log: one line, no control characters, at most 200
 * characters, and without the password that a URL may hold.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { printable } from "./quote_value.ts";
 *
 * assertEquals(printable("a\nb"), "a\\nb");
 * assertEquals(printable("wss://me:pass@sfu"), "wss://[secret]@sfu");
 * ```
 */
export function printable(text: string): string {
  const chars = [...withoutUserInfo(text.slice(0, MAX_SEARCHED))];
  const shown = chars.length > MAX_SHOWN
    ? `${chars.slice(0, MAX_SHOWN).join("")}…`
    : chars.join("");
  return shown.replace(INVISIBLE, escapeChar);
}

/**
 * Does what {@linkcode printable} does and puts the result in quotes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { quoteValue } from "./quote_value.ts";
 *
 * assertEquals(quoteValue("a\tb"), '"a\\tb"');
 * ```
 */
export function quoteValue(text: string): string {
  return `"${printable(text)}"`;
}

// Format characters are in because right-to-left marks can make a log line read as another one.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const SHORT_ESCAPES: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escapeChar(char: string): string {
  return SHORT_ESCAPES[char] ?? `\\u{${char.codePointAt(0)!.toString(16)}}`;
}

/** A URL's user and password end at its last `@`: an unescaped password may hold any of `@/:`. */
function withoutUserInfo(text: string): string {
  return text.replace(/\/\/[^\s,]*@/g, "//[secret]@").replace(
    /[^\s,/@=]+:[^\s,/@]*@/g,
    "[secret]@",
  );
}
