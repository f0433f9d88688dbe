import { assertEquals, assertThrows } from "@std/assert";
import { type Command, parseArguments, UsageError } from "../../lib/cli/arguments.ts";

const SERVE: Command = { name: "serve", isHelp: false, mayLackEnvFile: false };

const LINES: { args: string[]; command: Command | undefined }[] = [
  { args: [], command: SERVE },
  { args: ["serve"], command: SERVE },
  { args: ["config"], command: { ...SERVE, name: "config" } },
  { args: ["healthcheck"], command: { ...SERVE, name: "healthcheck" } },
  { args: ["version"], command: { ...SERVE, name: "version" } },
  { args: ["--version"], command: { ...SERVE, name: "version" } },
  { args: ["-V"], command: { ...SERVE, name: "version" } },
  { args: ["serve", "--version"], command: { ...SERVE, name: "version" } },
  { args: ["--help"], command: undefined },
  { args: ["-h"], command: undefined },
  { args: ["help"], command: undefined },
  { args: ["serve", "--help"], command: { ...SERVE, isHelp: true } },
  { args: ["--help", "config"], command: { ...SERVE, name: "config", isHelp: true } },
  { args: ["--env-file", "a.env"], command: { ...SERVE, envFile: "a.env" } },
  { args: ["--env-file=a.env", "config"], command: { ...SERVE, name: "config", envFile: "a.env" } },
  {
    args: ["serve", "--env-file-if-exists", ".env"],
    command: { ...SERVE, envFile: ".env", mayLackEnvFile: true },
  },
  {
    args: ["--env-file-if-exists", "b.env", "--env-file", "a.env"],
    command: { ...SERVE, envFile: "a.env" },
  },
];

for (const { args, command } of LINES) {
  Deno.test(`parseArguments() understands "${args.join(" ")}"`, () => {
    assertEquals(parseArguments(args), { command });
  });
}

for (
  const { args, says } of [
    { args: ["server"], says: 'Unknown command "server"' },
    { args: ["Serve"], says: 'Unknown command "Serve"' },
    { args: ["constructor"], says: "Unknown command" },
    { args: [""], says: 'Unknown command ""' },
    { args: ["serve", "now"], says: 'Unexpected argument "now" after "serve"' },
    { args: ["--port", "80"], says: "--port" },
    { args: ["-x"], says: "-x" },
    { args: ["--env-file"], says: "--env-file" },
    { args: ["--help=yes"], says: "--help" },
  ]
) {
  Deno.test(`parseArguments() refuses "${args.join(" ")}"`, () => {
    assertThrows(() => parseArguments(args), UsageError, says);
  });
}
