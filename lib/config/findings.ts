import type { Finding } from "./config_error.ts";
import type { InvalidValueError } from "./parse/invalid_value.ts";
import { printable, quoteValue } from "./parse/quote_value.ts";
import type { Found } from "./sources/sources.ts";
import type { Variable } from "./variables/variable.ts";

/**
 * Collects what is wrong or odd, so that an operator sees all of it at once.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Findings } from "./findings.ts";
 *
 * const findings = new Findings();
 * findings.warn("LK_JWT_PORT", "is an old name");
 * assertEquals(findings.warnings[0]?.message, "LK_JWT_PORT is an old name.");
 * ```
 */
export class Findings {
  readonly faults: Finding[] = [];
  readonly warnings: Finding[] = [];
  readonly #faulty = new Set<string>();

  /** Notes something that does not keep the service from starting. */
  warn(variable: string, message: string): void {
    const warning = sentence(variable, message);
    // A secret that stands in two places would be complained about twice.
    if (this.warnings.some(({ message }) => message === warning.message)) return;
    this.warnings.push(warning);
  }

  /** Notes something that does; `message` follows the variable's name. */
  fault(variable: string, message: string): void {
    this.#faulty.add(variable);
    this.faults.push(sentence(variable, message));
  }

  /**
   * Notes a value that a parser refused.
   *
   * @param name Whose value it is; the fault itself names the variable it was found in.
   */
  refuse(
    name: string,
    found: Found,
    error: InvalidValueError,
    variable: Pick<Variable, "accepts" | "secret">,
  ): void {
    const shown = showRefused(found.text, variable.secret);
    const quotes = /^["']|["']$/.test(found.text) && error.cause === undefined
      ? " The quotation marks are a part of the value: remove them."
      : "";
    this.#faulty.add(name);
    this.fault(
      found.variable,
      `is ${shown}: ${error.message}.${quotes} Accepted: ${variable.accepts}`,
    );
  }

  /** Whether a variable has a fault, so that another one about its absence would mislead. */
  isFaulty(variable: string): boolean {
    return this.#faulty.has(variable);
  }
}

function sentence(variable: string, message: string): Finding {
  const end = message.endsWith("?") ? "" : ".";
  return { variable, message: `${printable(variable)} ${message}${end}` };
}

/** Who writes a secret where its path belongs must not find it in the log. */
function showRefused(text: string, secret: Variable["secret"]): string {
  if (secret === "value") return "set (its value is not shown)";
  if (secret === "file" && !looksLikePath(text)) return "set (not shown, it is no absolute path)";
  return quoteValue(text);
}

/**
 * Says whether a text is safe to show as the path of a file of secrets.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { looksLikePath } from "./findings.ts";
 *
 * assertEquals([looksLikePath("/run/secret"), looksLikePath("hunter2")], [true, false]);
 * ```
 */
export function looksLikePath(text: string): boolean {
  return /^(?:\.{0,2}\/|[A-Za-z]:\\)[^\s:]*$/.test(text);
}
