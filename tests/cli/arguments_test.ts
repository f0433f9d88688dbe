import { assertEquals, assertThrows } from "@std/assert";
import { type Command, parseArguments, UsageError } from "../../lib/cli/arguments.ts";

const SERVE: Command = { name: "serve", isHelp: false, mayLackEnvFile: false };

const REGISTRATION: Command = { ...SERVE, name: "config registration" };

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
  { args: ["config", "registration"], command: REGISTRATION },
  { args: ["config", "registration", "-h"], command: { ...REGISTRATION, isHelp: true } },
  {
    args: ["config", "--server", "example.org:8448", "registration", "--env-file=a.env"],
    command: {
      ...REGISTRATION,
      envFile: "a.env",
      registration: { serverName: "example.org:8448" },
    },
  },
  {
    args: ["config", "registration", "--url=HTTPS://Auth.example/x/", "--server=[::1]"],
    command: {
      ...REGISTRATION,
      registration: { serverName: "[::1]", proxyUrl: "https://auth.example/x" },
    },
  },
  {
    args: ["doctor"],
    command: { ...SERVE, name: "doctor", doctor: { isJson: false, serverNames: [] } },
  },
  {
    args: [
      ...["doctor", "--json", "--server", "a.example", "--server=b.example", "--server=a.example"],
      ...["--user-token-file", "/run/token", "--room", "!r:a.example"],
      ...["--public-url", "https://rtc.a.example/livekit/jwt/"],
    ],
    command: {
      ...SERVE,
      name: "doctor",
      doctor: {
        isJson: true,
        serverNames: ["a.example", "b.example"],
        userTokenFile: "/run/token",
        room: "!r:a.example",
        publicUrl: "https://rtc.a.example/livekit/jwt",
      },
    },
  },
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
    { args: ["serve", "--json"], says: 'Option "--json" belongs to "doctor"' },
    { args: ["doctor", "--url", "https://a"], says: 'belongs to "config registration"' },
    { args: ["doctor", "--server", "https://a"], says: "has a scheme or slash" },
    { args: ["doctor", "--room", "r"], says: "no room ID" },
    { args: ["doctor", "--public-url", "rtc.example.org"], says: "does not begin with a scheme" },
    { args: ["constructor"], says: "Unknown command" },
    { args: [""], says: 'Unknown command ""' },
    { args: ["serve", "now"], says: 'Unexpected argument "now" after "serve"' },
    { args: ["config", "now"], says: 'Unexpected argument "now" after "config"' },
    {
      args: ["config", "registration", "now"],
      says: 'Unexpected argument "now" after "config registration"',
    },
    { args: ["registration"], says: 'Unknown command "registration"' },
    { args: ["config", "--server", "a"], says: '"--server" belongs to "config registration"' },
    { args: ["--url", "http://a"], says: '"--url" belongs to "config registration"' },
    {
      args: ["config", "registration", "--server", "https://a\n"],
      says: '"--server" is "https://a\\n"',
    },
    { args: ["config", "registration", "--server="], says: '"--server" is ""' },
    { args: ["config", "registration", "--url", "auth:8080"], says: '"--url" is "auth:8080"' },
    { args: ["config", "registration", "--url=http://me:hunter2@a"], says: "user or password" },
    { args: ["config", "registration", "--url"], says: "--url" },
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
