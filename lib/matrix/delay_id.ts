const MAX_BYTES = 255;

/**
 * Says whether a text can be the ID of a delayed event (MSC4140) and one segment
 * of a path on the homeserver, where dots would lead to another one.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { isDelayId } from "./delay_id.ts";
 *
 * assertEquals(isDelayId("syd_PbMHVRGgmIXJHEpfVmWr"), true);
 * assertEquals(isDelayId(".."), false);
 * ```
 */
export function isDelayId(text: string): boolean {
  if (text === "" || text === "." || text === "..") return false;
  return text.length <= MAX_BYTES && text.isWellFormed() &&
    new TextEncoder().encode(text).length <= MAX_BYTES;
}
