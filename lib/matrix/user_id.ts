import { isServerName } from "./server_name.ts";

const MAX_BYTES = 255;
// What historical user IDs may hold (printable ASCII but the colon) and what servers let through in
// practice (any letter of UTF-8). Blanks and control characters have never been valid, and a lone
// surrogate is no text at all.
const FORBIDDEN_IN_LOCALPART = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\s]/u;

/**
 * Finds the server part of a whole, valid user ID.
 *
 * @example The first colon parts the two; the server part may hold more
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serverNameOfUserId } from "./user_id.ts";
 *
 * assertEquals(serverNameOfUserId("@alice:example.org:8448"), "example.org:8448");
 * assertEquals(serverNameOfUserId("alice:example.org"), undefined);
 * ```
 *
 * @returns The server name, or `undefined` for anything but `@localpart:server`
 * of at most 255 bytes.
 * @see {@link https://spec.matrix.org/v1.18/appendices/#user-identifiers}
 */
export function serverNameOfUserId(userId: string): string | undefined {
  // A UTF-16 unit is at least one byte, so what is longer need not be encoded to be refused.
  if (!userId.startsWith("@") || userId.length > MAX_BYTES) return undefined;
  const colon = userId.indexOf(":");
  // The grammar of historical IDs lets the localpart be empty; no server has such a user.
  if (colon < 2 || FORBIDDEN_IN_LOCALPART.test(userId.slice(1, colon))) return undefined;
  const serverName = userId.slice(colon + 1);
  if (!isServerName(serverName)) return undefined;
  return new TextEncoder().encode(userId).length <= MAX_BYTES ? serverName : undefined;
}
