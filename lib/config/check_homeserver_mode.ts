import { checkHalves, type IsMissing } from "./check_halves.ts";
import type { Findings } from "./findings.ts";
import type { OpenSources } from "./sources/sources.ts";
import type { Values } from "./variables/variables.ts";

const TOKENS = ["LIVEKIT_AS_TOKEN", "LIVEKIT_HS_TOKEN"] as const;
const FILE = "LIVEKIT_AS_REGISTRATION_FILE";
const NAME = "LIVEKIT_HS_SERVER_NAME";
const CHECK = "MATRIXRTC_MEMBERSHIP_CHECK_SECONDS";

/**
 * Checks that homeserver mode is configured wholly or not at all.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { checkHomeserverMode } from "./check_homeserver_mode.ts";
 * import { Findings } from "./findings.ts";
 * import { openSources } from "./sources/sources.ts";
 *
 * const findings = new Findings();
 * const sources = openSources({ env: {}, readFile: () => "" });
 * const isMissing = (name: string) => name !== "LIVEKIT_AS_REGISTRATION_FILE";
 * checkHomeserverMode({}, isMissing, sources, findings);
 * assertEquals(findings.faults.map(({ variable }) => variable), ["LIVEKIT_HS_SERVER_NAME"]);
 * ```
 *
 * @param values What could be parsed.
 * @param sources For variables that were set beside the one that counts.
 */
export function checkHomeserverMode(
  values: Partial<Values>,
  isMissing: IsMissing,
  sources: OpenSources,
  findings: Findings,
): void {
  if (!isMissing(FILE)) {
    checkHalves([FILE, NAME], isMissing, findings);
  } else {
    checkHalves([...TOKENS, NAME], isMissing, findings, `, or ${FILE} in place of the tokens`);
  }
  checkTokens(values, findings);
  if ([FILE, NAME, ...TOKENS].every((name) => isMissing(name as typeof NAME))) {
    warnOfIgnoredCheck(sources, findings);
  } else warnOfOwnMetadata(values, findings);
}

function checkTokens(values: Partial<Values>, findings: Findings): void {
  const { [FILE]: file, LIVEKIT_AS_TOKEN: asToken, LIVEKIT_HS_TOKEN: hsToken } = values;
  if (file !== undefined) {
    const others = { LIVEKIT_AS_TOKEN: file.asToken, LIVEKIT_HS_TOKEN: file.hsToken };
    for (const token of TOKENS) {
      const value = values[token]?.reveal();
      if (value === undefined || value === others[token].reveal()) continue;
      findings.warn(token, `is ignored because ${FILE} has another one`);
    }
  }
  const pair = file ?? { asToken, hsToken };
  if (pair.asToken === undefined || pair.asToken.reveal() !== pair.hsToken?.reveal()) return;
  // It works, so whoever comes with it is not stopped; but it leaves one secret where there
  // should be two. The hs_token travels to wherever the proxied requests go; with the as_token
  // one can act for every user.
  findings.warn(
    file === undefined ? "LIVEKIT_HS_TOKEN" : FILE,
    `${file === undefined ? "is the same as LIVEKIT_AS_TOKEN" : "has the same token twice"}: ` +
      "whoever sees a request of the homeserver could act for all of its users",
  );
}

function warnOfIgnoredCheck(sources: OpenSources, findings: Findings): void {
  for (const name of [CHECK, "LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS"]) {
    if (sources.find(name) === undefined) continue;
    findings.warn(name, `is ignored: nobody can be asked while ${NAME} is not set`);
    return;
  }
}

/** Whom a participant stands for is read from the metadata. */
function warnOfOwnMetadata(values: Partial<Values>, findings: Findings): void {
  const { LIVEKIT_CAN_UPDATE_OWN_METADATA: canUpdate, [CHECK]: seconds } = values;
  if (canUpdate !== true || seconds === 0) return;
  findings.warn(
    "LIVEKIT_CAN_UPDATE_OWN_METADATA",
    "lets participants who come with an OpenID token hide who they are, and stay in the call " +
      "when they are banned from the room",
  );
}
