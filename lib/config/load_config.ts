import { buildConfig } from "./build_config.ts";
import { chooseKeyPair } from "./choose_key_pair.ts";
import { checkTogether } from "./check_together.ts";
import type { Config } from "./config.ts";
import { ConfigError, type Finding } from "./config_error.ts";
import { Findings } from "./findings.ts";
import { readVariable } from "./sources/read_variable.ts";
import type { Setting } from "./setting.ts";
import { type ConfigSources, openSources } from "./sources/sources.ts";
import { warnAboutNames } from "./sources/unknown_names.ts";
import { listVariables, type Values, type VariableName } from "./variables/variables.ts";

/** A configuration, how it came about, and what is odd about it. */
export interface LoadedConfig {
  readonly config: Config;
  /** Every variable in the order of the table. */
  readonly settings: readonly Setting[];
  readonly warnings: readonly Finding[];
}

/**
 * Reads the whole configuration.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { loadConfig } from "./load_config.ts";
 *
 * const { config } = loadConfig({
 *   env: { LIVEKIT_URL: "wss://sfu.example.org", LIVEKIT_KEY: "devkey", LIVEKIT_SECRET: "secret" },
 *   readFile: () => "",
 * });
 * assertEquals(config.liveKit.apiUrl, "https://sfu.example.org");
 * ```
 *
 * @throws {ConfigError} With all faults, if there is any.
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const open = openSources(sources);
  const findings = new Findings();
  const values: Partial<Record<VariableName, unknown>> = {};
  const settings: Setting[] = [];
  for (const [name, variable] of listVariables()) {
    const { value, setting } = readVariable(name, variable, open, findings);
    values[name] = value;
    settings.push(setting);
  }
  // Each entry comes from the parser of its own name.
  const parsed = values as Partial<Values>;
  checkTogether(parsed, open, findings);
  const pair = chooseKeyPair(parsed, findings);
  warnAboutNames(open.names, open, findings);
  if (pair === undefined || findings.faults.length > 0) {
    throw new ConfigError(findings.faults, findings.warnings);
  }
  const registration = "LIVEKIT_AS_REGISTRATION_FILE";
  const origins: Partial<Record<string, VariableName>> = {
    LIVEKIT_KEY: pair.keyFrom,
    LIVEKIT_SECRET: pair.secretFrom,
    ...parsed[registration] && { LIVEKIT_AS_TOKEN: registration, LIVEKIT_HS_TOKEN: registration },
  };
  return {
    config: buildConfig(parsed as Values, pair),
    settings: settings.map((setting) => {
      const from = origins[setting.name];
      return from === undefined || from === setting.name ? setting : redirect(setting, from);
    }),
    warnings: findings.warnings,
  };

  /** A value out of another variable: where that one comes from says where this one does. */
  function redirect(setting: Setting, from: string): Setting {
    const found = settings.find(({ name }) => name === from)!;
    const source = from === "LIVEKIT_KEY_FILE" || from === registration
      ? `file ${found.value} (${from})`
      : `${found.source} (${from})`;
    return { name: setting.name, value: "[secret]", source };
  }
}
