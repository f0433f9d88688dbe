import { createHash } from "node:crypto";

/**
 * Unpadded base64 of the SHA-256 of a JSON array: how room names and identities on the SFU are derived.
 *
 * Written anew and not imported from lib/, so that a mistake there shows.
 */
export function hashNames(...names: string[]): string {
  return createHash("sha256").update(JSON.stringify(names)).digest("base64").replaceAll("=", "");
}
