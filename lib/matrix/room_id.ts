const MAX_BYTES = 255;

/**
 * Says whether a text can be a room ID: `!`, something, 255 bytes at most. The
 * rest is opaque: room version 12 has IDs without a server part, and slashes,
 * dots and percent signs are allowed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { isRoomId } from "./room_id.ts";
 *
 * assertEquals(isRoomId("!opaque:example.org"), true);
 * assertEquals(isRoomId("!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM"), true);
 * assertEquals(isRoomId(".."), false);
 * ```
 *
 * @see {@link https://spec.matrix.org/v1.18/appendices/#room-ids}
 */
export function isRoomId(text: string): boolean {
  // A UTF-16 unit is at least one byte, so what is longer need not be encoded to be refused.
  if (!/^![^\p{Cc}\p{Cs}]/u.test(text) || text.length > MAX_BYTES) return false;
  return !/[\p{Cc}\p{Cs}]/u.test(text) && new TextEncoder().encode(text).length <= MAX_BYTES;
}
