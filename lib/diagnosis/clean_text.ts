import type { Secret } from "../secret.ts";

/** Format characters are in because right-to-left marks can make a line read as another one. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu;
const MAX_CHARS = 600;
/** What is shorter may be a common word: `secret` is in use as one. */
const MIN_SECRET_CHARS = 8;

/**
 * Makes the function that makes a text fit to be shown: one line, of a bounded length, without
 * what is secret. Checks keep secrets out themselves; what a server says back is another matter.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Secret } from "../secret.ts";
 * import { createCleaner } from "./clean_text.ts";
 *
 * const clean = createCleaner([new Secret("syt_hunter2")]);
 * assertEquals(clean("no\nsuch token: syt_hunter2"), "no such token: [secret]");
 * ```
 */
export function createCleaner(secrets: readonly Secret[]): (text: string) => string {
  return (text) => {
    for (const secret of secrets) {
      const value = secret.reveal();
      if (value.length >= MIN_SECRET_CHARS) text = text.replaceAll(value, "[secret]");
    }
    const line = text.replace(INVISIBLE, " ").trim();
    return line.length > MAX_CHARS ? `${line.slice(0, MAX_CHARS)}…` : line;
  };
}
