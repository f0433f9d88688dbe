/** Error codes in the answers of homeservers. */

// Only what looks like a code: a server may put anything there, the secret it was asked about too.
const ERRCODE = /^[A-Z][A-Z0-9_.]{1,63}$/;

/**
 * Finds what looks like a Matrix error code; anything else is not repeated in
 * messages, since it may be anything.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { errcodeOf } from "./errcode.ts";
 *
 * assertEquals(errcodeOf({ errcode: "M_NOT_FOUND" }), "M_NOT_FOUND");
 * assertEquals(errcodeOf({ errcode: "syt_a secret" }), undefined);
 * ```
 */
export function errcodeOf({ errcode }: { readonly errcode?: unknown }): string | undefined {
  return typeof errcode === "string" && ERRCODE.test(errcode) ? errcode : undefined;
}

/** Says whether a homeserver has nothing at all at a path. */
export function isUnrecognized(
  { status, errcode }: { readonly status: number; readonly errcode?: unknown },
): boolean {
  return errcode === "M_UNRECOGNIZED" && (status === 404 || status === 405 || status === 400);
}
