/** All checks. */

import type { Check } from "./check.ts";
import { configurationChecks } from "./configuration/checks.ts";
import type { DoctorContext } from "./context.ts";
import { discoveryChecks } from "./discovery/checks.ts";
import { namesChecks } from "./names/checks.ts";
import { serviceChecks } from "./service/checks.ts";

/**
 * Lists the checks, in the order in which they are shown. Which hosts there are is learnt from
 * the well-known files, so those are asked for already.
 */
export async function listChecks(context: DoctorContext): Promise<Check<DoctorContext>[]> {
  return [
    ...configurationChecks(context),
    ...await namesChecks(context),
    ...discoveryChecks(context),
    ...serviceChecks(),
  ];
}
