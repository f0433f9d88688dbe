import type { Findings } from "./findings.ts";
import type { VariableName } from "./variables/variables.ts";

/** Whether a variable is neither set nor faulty, so that a complaint about its absence is due. */
export type IsMissing = (name: VariableName) => boolean;

/**
 * Notes what is missing of variables that make sense together only.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { checkHalves } from "./check_halves.ts";
 * import { Findings } from "./findings.ts";
 *
 * const findings = new Findings();
 * const isMissing = (name: string) => name === "LIVEKIT_SECRET";
 * checkHalves(["LIVEKIT_KEY", "LIVEKIT_SECRET"], isMissing, findings);
 * assertEquals(
 *   findings.faults[0]?.message,
 *   "LIVEKIT_SECRET is not set, but LIVEKIT_KEY is. " +
 *     "Accepted: all of LIVEKIT_KEY, LIVEKIT_SECRET, or none.",
 * );
 * ```
 *
 * @param others What else would be accepted; follows the list.
 */
export function checkHalves(
  names: readonly VariableName[],
  isMissing: IsMissing,
  findings: Findings,
  others = "",
): void {
  const missing = names.filter(isMissing);
  if (missing.length === names.length) return;
  const present = names.filter((name) => !missing.includes(name));
  const verb = present.length === 1 ? "is" : "are";
  for (const name of missing) {
    findings.fault(
      name,
      `is not set, but ${present.join(" and ")} ${verb}. ` +
        `Accepted: all of ${names.join(", ")}${others}, or none`,
    );
  }
}
