import type { ConfigError, Finding as ConfigFinding } from "../../config/config_error.ts";
import type { Check } from "../check.ts";
import { fail } from "../finding.ts";
import { warningCheck } from "./warnings.ts";

/**
 * The checks that are left where the configuration cannot be used: each fault is one that fails,
 * each oddity beside them one that warns.
 */
export function checksOfFaults(error: ConfigError): Check<unknown>[] {
  return [
    ...error.faults.map((fault): Check<unknown> => ({
      id: "A1",
      title: "usable value",
      subject: fault.variable,
      run: () => judgeFault(fault),
    })),
    ...error.warnings.map((warning) => warningCheck(warning)),
  ];
}

/** Splits a fault's sentence into what is wrong and what would be accepted. */
export function judgeFault({ variable, message }: ConfigFinding) {
  const [evidence, accepted] = message.split(/ Accepted: (.*)$/s);
  return fail(
    evidence!,
    accepted === undefined
      ? `Correct ${variable}; nothing else is looked at before.`
      : `Set ${variable} to ${accepted.replace(/[.?]$/, "")}; nothing else is looked at before.`,
  );
}
