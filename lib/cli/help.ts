import type { CommandName } from "./arguments.ts";

const ENV_FILE = `
Options:
  --env-file FILE   read variables from a dotenv file; the environment wins over it
  -h, --help        this text`;

const COMMAND_HELP: Readonly<Record<CommandName, string>> = {
  serve: `Usage: matrixrtc-auth [serve] [--env-file FILE]

Serves until SIGTERM or SIGINT, then answers the requests in work and ends.
Everything is configured by environment variables; "matrixrtc-auth config" shows them.
${ENV_FILE}

Exit codes: 0 stopped, 78 wrong configuration, 1 anything else.`,
  config: `Usage: matrixrtc-auth config [--env-file FILE]

Prints the effective configuration: every variable, its value with secrets as
[secret], and where the value comes from.
${ENV_FILE}

Exit codes: 0 usable, 78 wrong configuration.`,
  "config registration": `Usage: matrixrtc-auth config registration [--server NAME] [--url URL]

Prints a registration file for Synapse with new random tokens, and what else to do
for homeserver mode. Nothing is saved: put it where both can read it, and nobody else.

Options:
  --server NAME     the homeserver; LIVEKIT_HS_SERVER_NAME if not given, or the only
                    one in LIVEKIT_FULL_ACCESS_HOMESERVERS
  --url URL         where the homeserver reaches this service; taken from
                    LIVEKIT_JWT_BIND if not given
  --env-file FILE   read variables from a dotenv file; the environment wins over it
  -h, --help        this text

Exit codes: 0 printed, 64 wrong options, 78 wrong or missing configuration.`,
  doctor: `Usage: matrixrtc-auth doctor [OPTIONS]

Looks at everything that calls need, with the same configuration as the service, and
says what is wrong and what to do. Best run where the service runs. It changes nothing
but a room of its own on LiveKit, which it removes.

Options:
  --server NAME           a Matrix server to look at, may be repeated; if not given,
                          those of LIVEKIT_FULL_ACCESS_HOMESERVERS and
                          LIVEKIT_HS_SERVER_NAME
  --public-url URL        where clients reach the service; if not given, what the
                          server's well-known file says
  --user-token-file FILE  access token of a user of the first server; for the checks
                          that need one
  --room ID               a Matrix room that this user is in
  --json                  print JSON (docs/doctor.md) in place of text
  --env-file FILE         read variables from a dotenv file; the environment wins over it
  -h, --help              this text

Exit codes: 0 all well, 1 warnings, 2 failures, 64 wrong options.`,
  healthcheck: `Usage: matrixrtc-auth healthcheck [--env-file FILE]

Asks the service that runs with the same configuration on this host for /healthz.
For containers without a shell.
${ENV_FILE}

Exit codes: 0 healthy, 1 not.`,
  version: `Usage: matrixrtc-auth version

Prints the version.`,
};

const PROGRAM_HELP = `matrixrtc-auth: MatrixRTC authorization service for LiveKit

Usage: matrixrtc-auth [COMMAND] [OPTIONS]

Commands:
  serve                 serve until told to stop; what happens without a command
  config                print the effective configuration and check it
  config registration   print a registration file for homeserver mode
  doctor                look for what keeps calls from working, and say what to do
  healthcheck           ask the running service whether it is alive
  version               print the version

Options:
  --env-file FILE   read variables from a dotenv file; the environment wins over it
  -h, --help        this text, or that of a command
  -V, --version     print the version

Smallest configuration:
  LIVEKIT_URL=wss://sfu.example.org LIVEKIT_KEY=key LIVEKIT_SECRET=secret \\
  LIVEKIT_FULL_ACCESS_HOMESERVERS=example.org matrixrtc-auth`;

/** The text for `--help`, of a command or of the whole program. */
export function helpText(command?: CommandName): string {
  return command === undefined ? PROGRAM_HELP : COMMAND_HELP[command];
}
