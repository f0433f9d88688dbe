/** The command line: which command, with which options. */

import { parseArgs } from "node:util";
import { InvalidValueError } from "../config/parse/invalid_value.ts";
import { parseOwnServerName } from "../config/parse/parse_server_list.ts";
import { parseHttpUrl } from "../config/parse/parse_url.ts";
import { quoteValue } from "../config/parse/quote_value.ts";
import type { RegistrationOverrides } from "../config/registration/registration_settings.ts";

/** A command that the program can run. */
export type CommandName =
  | "serve"
  | "config"
  | "config registration"
  | "healthcheck"
  | "version";

/** What was asked for. */
export interface Command {
  readonly name: CommandName;
  /** Whether only the command's help is wanted. */
  readonly isHelp: boolean;
  /** A dotenv file that must be there. */
  readonly envFile?: string;
  /** Whether a missing env file is no fault. */
  readonly mayLackEnvFile: boolean;
  /** What `config registration` was told; absent where it was told nothing. */
  readonly registration?: RegistrationOverrides;
}

/** The command line makes no sense; exit code 64. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const COMMANDS: readonly string[] = [
  "serve",
  "config",
  "config registration",
  "healthcheck",
  "version",
];

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
        server: { type: "string" },
        url: { type: "string" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean", short: "V" },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const { values, positionals } = parsed;
  const [named, ...rest] = joinCommand(positionals);
  if (positionals.length === 0 && values.help) return { command: undefined };
  const name = values.version ? "version" : named;
  if (name === "help") return { command: undefined };
  if (!COMMANDS.includes(name)) throw new UsageError(`Unknown command "${name}"`);
  if (rest.length > 0) throw new UsageError(`Unexpected argument "${rest[0]}" after "${name}"`);
  const registration = readRegistration(values, name);
  const envFile = values["env-file"] ?? values["env-file-if-exists"];
  return {
    command: {
      name: name as CommandName,
      isHelp: values.help === true,
      ...(envFile === undefined ? {} : { envFile }),
      mayLackEnvFile: values["env-file"] === undefined && envFile !== undefined,
      ...(registration === undefined ? {} : { registration }),
    },
  };
}

/** A command of two words is one. */
function joinCommand(words: readonly string[]): [name: string, ...rest: string[]] {
  const [first = "serve", second, ...rest] = words;
  if (second === undefined) return [first];
  const both = `${first} ${second}`;
  return COMMANDS.includes(both) ? [both, ...rest] : [first, second, ...rest];
}

function readRegistration(
  { server, url }: { readonly server?: string; readonly url?: string },
  command: string,
): RegistrationOverrides | undefined {
  if (server === undefined && url === undefined) return undefined;
  if (command !== "config registration") {
    const option = server === undefined ? "--url" : "--server";
    throw new UsageError(`Option "${option}" belongs to "config registration"`);
  }
  return {
    ...(server === undefined
      ? {}
      : { serverName: readOption("--server", server, parseOwnServerName) }),
    ...(url === undefined ? {} : { proxyUrl: readOption("--url", url, parseHttpUrl) }),
  };
}

function readOption(name: string, text: string, parse: (text: string) => string): string {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    throw new UsageError(`Option "${name}" is ${quoteValue(text)}: ${error.message}`);
  }
}
