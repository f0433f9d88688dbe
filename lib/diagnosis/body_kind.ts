/**
 * Names what a body is, for people. The text itself stays out: what an unknown server says may
 * hold anything, a token that it was sent among it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { bodyKind } from "./body_kind.ts";
 *
 * assertEquals(bodyKind("<!doctype html><title>Hello</title>"), "a web page");
 * assertEquals(bodyKind(""), "an empty body");
 * ```
 */
export function bodyKind(text: string): string {
  const start = text.trimStart();
  if (start === "") return "an empty body";
  if (start.startsWith("<")) return "a web page";
  return /^[[{]/.test(start) ? "JSON" : "plain text";
}
