/** More than anybody attaches; LiveKit itself allows 64 KiB in all. */
const MAX_ENTRIES = 64;
const MAX_VALUE_LENGTH = 4_096;

/**
 * Reads a participant's attributes. Participants may be let write their own, so
 * what is too much, or no text, is passed over.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseAttributes } from "./attributes.ts";
 *
 * assertEquals(parseAttributes({ a: "1", b: 2, c: "" }), { attributes: { a: "1" } });
 * assertEquals(parseAttributes({}), {});
 * ```
 *
 * @param value What stands in LiveKit's JSON, anything.
 * @returns A part of a participant: empty where there is nothing to keep.
 */
export function parseAttributes(
  value: unknown,
): { readonly attributes?: Readonly<Record<string, string>> } {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  const entries = Object.entries(value);
  if (entries.length > MAX_ENTRIES) return {};
  const kept = entries.filter(([, text]) =>
    typeof text === "string" && text !== "" && text.length <= MAX_VALUE_LENGTH
  );
  return kept.length === 0 ? {} : { attributes: Object.fromEntries(kept) };
}
