import type { ParseContext } from "../parse/invalid_value.ts";

/** Headings that help and guide put over the variables. */
export type VariableGroup =
  | "LiveKit"
  | "Listening"
  | "Who may come"
  | "Other servers"
  | "Delegated leaves"
  | "Homeserver mode"
  | "Logs and metrics";

/** Another name under which a variable's value is found when its own name is unset. */
export interface OtherName {
  readonly name: string;
  /** `file`: it holds the path of a file with just the value, and is looked at first. */
  readonly kind: "value" | "file";
  /** What to tell whoever uses it; absent where the name is as good as the newer one. */
  readonly advice?: string;
  /** What it accepts, if that differs from the newer name. */
  readonly accepts?: string;
  /** Brings the text into the newer form; `undefined` means that it is not ours at all. */
  readonly convert?: (text: string) => string | undefined;
}

/**
 * One variable of the environment: what it is for, what it accepts and how it is read.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseInteger } from "../parse/parse_integer.ts";
 * import type { Variable } from "./variable.ts";
 *
 * const variable: Variable<number> = {
 *   group: "Listening",
 *   meaning: "longest drain",
 *   accepts: "whole seconds from 0 to 600",
 *   default: "8",
 *   parse: parseInteger({ min: 0, max: 600 }),
 * };
 * assertEquals(variable.default, "8");
 * ```
 */
export interface Variable<T = unknown> {
  readonly group: VariableGroup;
  /** One line for help and guide, without a full stop. */
  readonly meaning: string;
  /** Completes "Accepted: …" in messages. */
  readonly accepts: string;
  /** Parsed when the variable is unset. */
  readonly default?: string;
  /** What to show for an unset variable that has no `default`. */
  readonly unset?: string;
  /**
   * `value`: it must not be shown, and may come from a file (`…_FROM_FILE`) or systemd
   * credential. `file`: it names a file of secrets, and is shown only if it looks like a path.
   */
  readonly secret?: "value" | "file";
  readonly otherNames?: readonly OtherName[];
  /** @throws {InvalidValueError} Nothing else. */
  readonly parse: (text: string, context: ParseContext) => T;
}
