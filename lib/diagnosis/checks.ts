/** All checks. */

import type { Check } from "./check.ts";
import { configurationChecks } from "./configuration/checks.ts";
import type { DoctorContext } from "./context.ts";
import { discoveryChecks } from "./discovery/checks.ts";
import { homeserverChecks } from "./homeserver/checks.ts";
import { homeserverModeChecks } from "./homeserver_mode/checks.ts";
import { liveKitChecks } from "./livekit/checks.ts";
import { mediaChecks } from "./media/checks.ts";
import { namesChecks } from "./names/checks.ts";
import { serviceChecks } from "./service/checks.ts";
import { webhookChecks } from "./webhook/checks.ts";

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
    ...homeserverChecks(context),
    ...liveKitChecks(context),
    ...webhookChecks(context),
    ...mediaChecks(),
    ...homeserverModeChecks(context),
  ];
}
