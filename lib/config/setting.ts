import { looksLikePath } from "./findings.ts";
import { printable } from "./parse/quote_value.ts";
import type { Found } from "./sources/sources.ts";
import type { Variable } from "./variables/variable.ts";

/** One line of what the `config` command prints. */
export interface Setting {
  /** The variable's newest name, also where an older one was used. */
  readonly name: string;
  /** Fit for a terminal; `[secret]` for secrets. */
  readonly value: string;
  /**
   * `environment`, `env file /path`, `file /path (VARIABLE)`, `credential NAME` or `default`;
   * an older name stands in brackets.
   */
  readonly source: string;
}

/**
 * Describes where a variable's value comes from.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { describeSetting } from "./setting.ts";
 * import { VARIABLES } from "./variables/variables.ts";
 *
 * const found = { text: "hunter2", variable: "LIVEKIT_SECRET", source: "environment" };
 * assertEquals(describeSetting("LIVEKIT_SECRET", VARIABLES.LIVEKIT_SECRET, found), {
 *   name: "LIVEKIT_SECRET",
 *   value: "[secret]",
 *   source: "environment",
 * });
 * ```
 *
 * @param found Absent for the default.
 */
export function describeSetting(
  name: string,
  variable: Variable,
  found: Found | undefined,
): Setting {
  if (found === undefined) {
    return { name, value: variable.default ?? variable.unset ?? "none", source: "default" };
  }
  const hidden = variable.secret === "value" ||
    (variable.secret === "file" && !looksLikePath(found.text));
  const value = hidden ? "[secret]" : printable(found.text);
  return { name, value, source: printable(found.source) };
}
