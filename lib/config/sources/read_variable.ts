import { findValue } from "./find_value.ts";
import type { Findings } from "../findings.ts";
import { InvalidValueError } from "../parse/invalid_value.ts";
import { describeSetting, type Setting } from "../setting.ts";
import type { OpenSources } from "./sources.ts";
import type { Variable } from "../variables/variable.ts";

/**
 * Finds and parses one variable.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Findings } from "../findings.ts";
 * import { readVariable } from "./read_variable.ts";
 * import { openSources } from "./sources.ts";
 * import { VARIABLES } from "../variables/variables.ts";
 *
 * const sources = openSources({ env: {}, readFile: () => "" });
 * const variable = VARIABLES.MATRIXRTC_SHUTDOWN_SECONDS;
 * const read = readVariable("MATRIXRTC_SHUTDOWN_SECONDS", variable, sources, new Findings());
 * assertEquals([read.value, read.setting.source], [8, "default"]);
 * ```
 *
 * @param findings Gets what is wrong with it, and what is odd.
 * @returns The value is that of the default where the variable is unset, and `undefined` where
 * there is none or where there is a fault.
 */
export function readVariable<T>(
  name: string,
  variable: Variable<T>,
  sources: OpenSources,
  findings: Findings,
): { value: T | undefined; setting: Setting } {
  const found = findValue(name, variable, sources, findings);
  const setting = describeSetting(name, variable, found);
  const text = found?.text ?? variable.default;
  if (text === undefined) return { value: undefined, setting };
  const context = {
    warn: (message: string) => findings.warn(found?.variable ?? name, message),
    readFile: sources.readFile,
  };
  try {
    return { value: variable.parse(text, context), setting };
  } catch (error) {
    if (!(error instanceof InvalidValueError) || found === undefined) throw error;
    const shown = sources.find(found.variable)?.text ?? found.text;
    const otherName = variable.otherNames?.find((other) => other.name === found.variable);
    const accepts = otherName?.accepts ?? variable.accepts;
    findings.refuse(name, { ...found, text: shown }, error, { ...variable, accepts });
    return { value: undefined, setting };
  }
}
