import type { ReadyCheck } from "./ready_check.ts";

/**
 * Makes the check of the configuration, which does not change any more.
 *
 * @param warningCount How many warnings the log had at the start.
 */
export function createConfigurationCheck(warningCount: number): ReadyCheck {
  return {
    name: "configuration",
    title: "Configuration",
    isLogged: true,
    run: () =>
      warningCount === 0 ? { verdict: "PASS", evidence: "no warnings" } : {
        verdict: "WARN",
        evidence: `${warningCount} warnings at the start`,
        remedy: "Run `matrixrtc-auth config`: the warnings are in its last lines, and in the " +
          "first ones of the log.",
      },
  };
}
