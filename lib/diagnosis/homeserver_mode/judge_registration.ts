import type { Finding as ConfigFinding } from "../../config/config_error.ts";
import { UpstreamError } from "../../matrix/errors.ts";
import type { Finding } from "../check.ts";

/** What the registration and the homeserver say of this application service. */
export interface RegistrationFacts {
  /** Warnings about the file, as the configuration has them; none where there is no file. */
  readonly warnings: readonly ConfigFinding[];
  /** Whether the tokens come from a file at all. */
  readonly hasFile: boolean;
  /** Why the homeserver did not answer its application service. */
  readonly refusal?: UpstreamError;
}

/** I1: judges the registration, and whether the homeserver answers to it. */
export function judgeRegistration({ warnings, hasFile, refusal }: RegistrationFacts): Finding {
  const [first] = warnings;
  if (refusal !== undefined) {
    return {
      verdict: "FAIL",
      evidence: [refusal.message, ...warnings.map(({ message }) => message)].join("; "),
      remedy: first === undefined
        ? "Let the homeserver load the registration that `config registration` prints, with the " +
          "flags there, and restart it and all of its workers."
        : "Correct the registration file (`config registration` prints a complete one), and " +
          "restart the homeserver.",
    };
  }
  if (first !== undefined) {
    return {
      verdict: "WARN",
      evidence: warnings.map(({ message }) => message).join("; "),
      remedy: "Correct the registration file (`config registration` prints a complete one), and " +
        "restart the homeserver.",
    };
  }
  const evidence = "the homeserver answers its application service";
  return {
    verdict: "PASS",
    evidence: hasFile ? `the registration is complete; ${evidence}` : evidence,
  };
}
