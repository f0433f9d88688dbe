/** Something about one variable that the operator should know. */
export interface Finding {
  /** The name as the operator wrote it, or should write it. */
  readonly variable: string;
  /** A whole sentence, which names the variable and shows no secret. */
  readonly message: string;
}

/**
 * A configuration that cannot be used, with everything that is wrong with it.
 *
 * @example All faults at once
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { ConfigError } from "./config_error.ts";
 * import { loadConfig } from "./load_config.ts";
 *
 * const error = assertThrows(() => loadConfig({ env: {}, readFile: () => "" }), ConfigError);
 * assertEquals(
 *   error.faults.map((fault) => fault.variable),
 *   ["LIVEKIT_URL", "LIVEKIT_KEY", "LIVEKIT_SECRET"],
 * );
 * ```
 */
export class ConfigError extends Error {
  override name = "ConfigError";
  /** Those of single variables first, in the order of the table. */
  readonly faults: readonly Finding[];
  /** What was noticed besides; it may explain a fault. */
  readonly warnings: readonly Finding[];

  constructor(faults: readonly Finding[], warnings: readonly Finding[] = []) {
    super(faults.map((fault) => fault.message).join("\n"));
    this.faults = faults;
    this.warnings = warnings;
  }
}
