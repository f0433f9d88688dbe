import { createHash, randomBytes } from "node:crypto";

/** Writes a user, device or room ID the way the operator wants to see it in the log. */
export type Pseudonym = (identifier: string) => string;

/**
 * Makes the function that stands in for identifiers in the log.
 *
 * @param mode `plain` shows them; `hashed` gives each a short name that stays the
 * same until the service ends: enough to follow one user through the log, and
 * worth nothing outside it, as the salt is drawn anew at each start.
 */
export function createPseudonym(mode: "hashed" | "plain"): Pseudonym {
  if (mode === "plain") return (identifier) => identifier;
  const salt = randomBytes(16).toString("hex");
  return (identifier) => createHash("sha256").update(salt + identifier).digest("hex").slice(0, 12);
}
