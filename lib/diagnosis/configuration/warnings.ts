import type { Finding as ConfigFinding } from "../../config/config_error.ts";
import type { Check, Finding } from "../check.ts";
import { warn } from "../finding.ts";

/** The check of one oddity that the configuration's reader has noticed. */
export function warningCheck(warning: ConfigFinding): Check<unknown> {
  const isAccess = warning.variable === "LIVEKIT_FULL_ACCESS_HOMESERVERS";
  return {
    id: isAccess ? "A5" : "A2",
    title: isAccess ? "servers with full access" : "names and values",
    subject: warning.variable,
    run: () => judgeWarning(warning),
  };
}

/** Advice within a warning begins like this. */
const ADVICE =
  /(?:: |\. )((?:rename|set|did you mean|list|say|remove|use|generate|make|give|choose)\b.*)$/is;

/**
 * Splits a warning's sentence into what was noticed and what to do.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { judgeWarning } from "./warnings.ts";
 *
 * const message = "LK_JWT_PORT is an old name: set LIVEKIT_JWT_BIND=:port instead.";
 * assertEquals(judgeWarning({ variable: "LK_JWT_PORT", message }), {
 *   verdict: "WARN",
 *   evidence: "LK_JWT_PORT is an old name",
 *   remedy: "Set LIVEKIT_JWT_BIND=:port instead.",
 * });
 * ```
 */
export function judgeWarning({ variable, message }: ConfigFinding): Finding {
  const advice = ADVICE.exec(message);
  if (advice === null) {
    return warn(
      message,
      `Correct ${variable}, or remove it: it has no effect, or not the intended.`,
    );
  }
  const [, text = ""] = advice;
  return warn(message.slice(0, advice.index), text[0]!.toUpperCase() + text.slice(1));
}
