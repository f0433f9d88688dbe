/** The command line: which command, with which options. */

import { parseArgs } from "node:util";
import { InvalidValueError } from "../config/parse/invalid_value.ts";
import { parseOwnServerName } from "../config/parse/parse_server_list.ts";
import { parseHttpUrl } from "../config/parse/parse_url.ts";
import { quoteValue } from "../config/parse/quote_value.ts";
import { isRoomId } from "../matrix/room_id.ts";
import type { RegistrationOverrides } from "../config/registration/registration_settings.ts";

/** A command that the program can run. */
export type CommandName =
  | "serve"
  | "config"
  | "config registration"
  | "doctor"
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
  /** What `doctor` was told; always there for it. */
  readonly doctor?: DoctorArguments;
}

/** What `doctor` can be told. */
export interface DoctorArguments {
  /** Whether JSON is wanted in place of text. */
  readonly isJson: boolean;
  /** Matrix servers to look at; none: those of the configuration. */
  readonly serverNames: readonly string[];
  /** A file with an access token of a user of the first server. */
  readonly userTokenFile?: string;
  /** A room that this user is joined to. */
  readonly room?: string;
  /** Where clients reach the service, without a slash at its end. */
  readonly publicUrl?: string;
}

/** The command line makes no sense; exit code 64. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const COMMANDS: readonly string[] = [
  "serve",
  "config",
  "config registration",
  "doctor",
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
        json: { type: "boolean" },
        "public-url": { type: "string" },
        room: { type: "string" },
        server: { type: "string", multiple: true },
        url: { type: "string" },
        "user-token-file": { type: "string" },
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
  checkOwners(values, name);
  const registration = name === "config registration" ? readRegistration(values) : undefined;
  const envFile = values["env-file"] ?? values["env-file-if-exists"];
  return {
    command: {
      name: name as CommandName,
      isHelp: values.help === true,
      ...(envFile === undefined ? {} : { envFile }),
      mayLackEnvFile: values["env-file"] === undefined && envFile !== undefined,
      ...(registration === undefined ? {} : { registration }),
      ...(name === "doctor" ? { doctor: readDoctor(values) } : {}),
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

/** Options that not every command has, and those that have them. */
const OWNERS = {
  json: ["doctor"],
  "public-url": ["doctor"],
  room: ["doctor"],
  server: ["config registration", "doctor"],
  url: ["config registration"],
  "user-token-file": ["doctor"],
} as const;

interface Values {
  readonly json?: boolean;
  readonly "public-url"?: string;
  readonly room?: string;
  readonly server?: readonly string[];
  readonly url?: string;
  readonly "user-token-file"?: string;
}

/** An option that does nothing would be believed to have done something. */
function checkOwners(values: Values, command: string): void {
  for (const [option, owners] of Object.entries(OWNERS)) {
    if (values[option as keyof Values] === undefined) continue;
    if ((owners as readonly string[]).includes(command)) continue;
    const names = owners.map((owner) => `"${owner}"`).join(" and ");
    throw new UsageError(`Option "--${option}" belongs to ${names}`);
  }
}

function readRegistration({ server, url }: Values): RegistrationOverrides | undefined {
  if (server === undefined && url === undefined) return undefined;
  return {
    ...(server === undefined
      ? {}
      : { serverName: readOption("--server", server.at(-1)!, parseOwnServerName) }),
    ...(url === undefined ? {} : { proxyUrl: readOption("--url", url, parseHttpUrl) }),
  };
}

function readDoctor(values: Values): DoctorArguments {
  const { "public-url": publicUrl, "user-token-file": userTokenFile, room } = values;
  return {
    isJson: values.json === true,
    serverNames: [...new Set(values.server)].map((name) =>
      readOption("--server", name, parseOwnServerName)
    ),
    ...(userTokenFile === undefined ? {} : { userTokenFile }),
    ...(room === undefined ? {} : { room: readOption("--room", room, parseRoom) }),
    ...(publicUrl === undefined
      ? {}
      : { publicUrl: readOption("--public-url", publicUrl, parseHttpUrl) }),
  };
}

function parseRoom(text: string): string {
  if (isRoomId(text)) return text;
  throw new InvalidValueError("it is no room ID such as !room:example.org");
}

function readOption(name: string, text: string, parse: (text: string) => string): string {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    throw new UsageError(`Option "${name}" is ${quoteValue(text)}: ${error.message}`);
  }
}
