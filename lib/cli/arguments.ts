/** The command line: which command, with which options. */

import { parseArgs } from "node:util";

/** A command that the program can run. */
export type CommandName = "serve" | "config" | "healthcheck" | "version";

/** What was asked for. */
export interface Command {
  readonly name: CommandName;
  /** Whether only the command's help is wanted. */
  readonly isHelp: boolean;
  /** A dotenv file that must be there. */
  readonly envFile?: string;
  /** Whether a missing env file is no fault. */
  readonly mayLackEnvFile: boolean;
}

/** The command line makes no sense; exit code 64. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const COMMANDS: readonly string[] = ["serve", "config", "healthcheck", "version"];

/**
 * Reads the command line. Without a command it means `serve`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseArguments } from "./arguments.ts";
 *
 * assertEquals(parseArguments(["config", "--env-file", "my.env"]), {
 *   command: { name: "config", isHelp: false, envFile: "my.env", mayLackEnvFile: false },
 * });
 * ```
 *
 * @returns The command, or `undefined` where the whole program's help is wanted.
 * @throws {UsageError} For unknown commands and options.
 */
export function parseArguments(args: readonly string[]): { command: Command | undefined } {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        "env-file": { type: "string" },
        "env-file-if-exists": { type: "string" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean", short: "V" },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const { values, positionals } = parsed;
  const [named = "serve", ...rest] = positionals;
  if (positionals.length === 0 && values.help) return { command: undefined };
  const name = values.version ? "version" : named;
  if (name === "help") return { command: undefined };
  if (!COMMANDS.includes(name)) throw new UsageError(`Unknown command "${name}"`);
  if (rest.length > 0) throw new UsageError(`Unexpected argument "${rest[0]}" after "${name}"`);
  const envFile = values["env-file"] ?? values["env-file-if-exists"];
  return {
    command: {
      name: name as CommandName,
      isHelp: values.help === true,
      ...(envFile === undefined ? {} : { envFile }),
      mayLackEnvFile: values["env-file"] === undefined && envFile !== undefined,
    },
  };
}
