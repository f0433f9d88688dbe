import type { Config } from "../../config/config.ts";
import type { Finding } from "../check.ts";
import { pass, warn } from "../finding.ts";

/**
 * Judges who may create rooms, where the configuration's reader had nothing to say about it.
 *
 * @param serverNames Those that are looked at; one of them at least should be the operator's own.
 */
export function judgeAccess(
  { fullAccess, appService }: Pick<Config, "fullAccess" | "appService">,
  serverNames: readonly string[],
): Finding {
  const listed = fullAccess.includes("*") ? [] : fullAccess;
  const missing = serverNames.some((name) => listed.includes(name)) ? [] : serverNames;
  if (missing.length > 0 && listed.length > 0 && appService === undefined) {
    return warn(
      `${missing.join(", ")} is not in LIVEKIT_FULL_ACCESS_HOMESERVERS`,
      `Add ${
        missing.join(", ")
      } to LIVEKIT_FULL_ACCESS_HOMESERVERS if it is your server: its users ` +
        "cannot start calls otherwise. The name is the part after the colon in user IDs.",
    );
  }
  return pass(
    listed.length > 0 ? listed.join(", ") : `${appService?.serverName}, by homeserver mode`,
  );
}
