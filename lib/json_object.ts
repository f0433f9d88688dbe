const UTF_8 = new TextDecoder();

/**
 * Parses what another server has sent.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseJsonObject } from "./json_object.ts";
 *
 * const parse = (text: string) => parseJsonObject(new TextEncoder().encode(text));
 * assertEquals(parse('{"joined":true}'), { joined: true });
 * assertEquals([parse("[1]"), parse("null"), parse("<html>")], [undefined, undefined, undefined]);
 * ```
 *
 * @returns `undefined` for anything but a JSON object. Bytes that are no UTF-8 are replaced.
 */
export function parseJsonObject(body: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(UTF_8.decode(body));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? value as Record<string, unknown>
      : undefined;
  } catch {
    return undefined;
  }
}
