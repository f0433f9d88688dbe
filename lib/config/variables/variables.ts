import { LIVEKIT_VARIABLES } from "./livekit_variables.ts";
import { MATRIXRTC_VARIABLES, PLATFORM_VARIABLES } from "./matrixrtc_variables.ts";
import { OTEL_VARIABLES } from "./otel_variables.ts";
import type { Variable, VariableGroup } from "./variable.ts";

/**
 * Every variable that this service reads, by its name. Help, the guide's table, parsing and the
 * `config` command all come from here.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { VARIABLES } from "./variables.ts";
 *
 * for (const { meaning, accepts } of Object.values(VARIABLES)) assert(meaning && accepts);
 * ```
 */
export const VARIABLES = {
  ...LIVEKIT_VARIABLES,
  ...MATRIXRTC_VARIABLES,
  ...PLATFORM_VARIABLES,
  ...OTEL_VARIABLES,
};

/** The name of a variable in {@linkcode VARIABLES}. */
export type VariableName = keyof typeof VARIABLES;

/** What the value of each variable is once it is parsed. */
export type Values = {
  readonly [Name in VariableName]:
    | ReturnType<typeof VARIABLES[Name]["parse"]>
    | (typeof VARIABLES[Name] extends { default: string } ? never : undefined);
};

/** In the order in which help and guide show them. */
const GROUPS: readonly VariableGroup[] = [
  "LiveKit",
  "Listening",
  "Who may come",
  "Other servers",
  "Delegated leaves",
  "Homeserver mode",
  "Logs and metrics",
];

/**
 * Lists the variables by group, in a stable order.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { listVariables } from "./variables.ts";
 *
 * assertEquals(listVariables()[0]?.[0], "LIVEKIT_URL");
 * ```
 */
export function listVariables(): readonly (readonly [VariableName, Variable])[] {
  const entries = Object.entries(VARIABLES) as [VariableName, Variable][];
  return GROUPS.flatMap((group) => entries.filter(([, variable]) => variable.group === group));
}
