/** The command `doctor`. */

import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { ConfigError } from "../config/config_error.ts";
import type { LoadedConfig } from "../config/load_config.ts";
import type { Check, Result } from "../diagnosis/check.ts";
import { listChecks } from "../diagnosis/checks.ts";
import { checksOfFaults } from "../diagnosis/configuration/faults.ts";
import { createDoctorContext, type DoctorEffects } from "../diagnosis/context.ts";
import { exitCodeOf, runChecks, summarize } from "../diagnosis/run_checks.ts";
import { Secret } from "../secret.ts";
import { VERSION } from "../version.ts";
import { type DoctorArguments, UsageError } from "./arguments.ts";
import { formatJson, formatProgress, formatReport } from "./doctor_report.ts";

/** What the command needs. */
export interface DoctorDeps {
  readonly clock: Clock;
  /** @throws {ConfigError} When the configuration cannot be used. */
  readonly load: () => LoadedConfig;
  /** Reads a file; of one that is larger, no more than so many bytes and one. */
  readonly readFile: (path: string, maxBytes: number) => string;
  /** Reaches the world; called for a usable configuration only. */
  readonly connect: (config: Config) => Omit<DoctorEffects, "clock">;
  /** Prints the result. */
  readonly print: (text: string) => void;
  /** Whether what is printed may have colours. */
  readonly hasColour: boolean;
  /** A line that is written over while it runs; absent where nobody watches. */
  readonly progress?: {
    readonly columns: number;
    /** Takes the place of what was shown before; empty removes it. */
    readonly show: (line: string) => void;
  };
}

const MAX_TOKEN_BYTES = 4_096;

/**
 * Makes the diagnosis and prints it.
 *
 * @returns The exit code: 0, 1 with warnings, 2 with failures.
 * @throws {UsageError} When the file of the user's token cannot be used.
 */
export async function runDoctor(args: DoctorArguments, deps: DoctorDeps): Promise<number> {
  const { clock } = deps;
  const startedAt = clock.monotonic();
  const userToken = readUserToken(args.userTokenFile, deps.readFile);
  const results = await diagnose(args, userToken, deps);
  deps.progress?.show("");
  deps.print(
    args.isJson
      ? formatJson(results, { version: VERSION, now: clock.now() })
      : formatReport(results, {
        hasColour: deps.hasColour,
        ms: clock.monotonic() - startedAt,
      }),
  );
  return exitCodeOf(summarize(results));
}

async function diagnose(
  args: DoctorArguments,
  userToken: Secret | undefined,
  deps: DoctorDeps,
): Promise<Result[]> {
  const { clock } = deps;
  let loaded: LoadedConfig;
  try {
    loaded = deps.load();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // Without a configuration there is nothing to ask anybody for.
    return await run(checksOfFaults(error), undefined, [], deps);
  }
  const effects = { clock, ...deps.connect(loaded.config) };
  const { serverNames, publicUrl, room } = args;
  const context = createDoctorContext(loaded, effects, {
    serverNames,
    ...publicUrl !== undefined && { publicUrl },
    ...userToken !== undefined && { userToken },
    ...room !== undefined && { room },
  });
  try {
    const secrets = [...secretsOf(loaded.config), ...userToken ? [userToken] : []];
    return await run(await listChecks(context), context, secrets, deps);
  } finally {
    // Whatever hangs on a check that was given up is not waited for.
    void effects.client.close().catch(() => {});
  }
}

function run<Context>(
  checks: readonly Check<Context>[],
  context: Context,
  secrets: readonly Secret[],
  { clock, progress }: DoctorDeps,
): Promise<Result[]> {
  return runChecks(checks, context, {
    clock,
    secrets,
    ...progress && {
      onResult: (result, done, total) =>
        progress.show(formatProgress(result, done, total, progress.columns)),
    },
  });
}

function secretsOf({ liveKit, appService, delegation }: Config): Secret[] {
  return [
    liveKit.secret,
    liveKit.previous?.secret,
    appService?.asToken,
    appService?.hsToken,
    delegation.redis?.password,
  ].filter((secret) => secret !== undefined);
}

function readUserToken(
  path: string | undefined,
  readFile: DoctorDeps["readFile"],
): Secret | undefined {
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = readFile(path, MAX_TOKEN_BYTES).trim();
  } catch (error) {
    throw new UsageError(`--user-token-file ${path} cannot be read: ${(error as Error).name}`);
  }
  // As the value of a header: nothing else could be sent.
  if (/^[\x21-\x7e]+$/.test(text) && text.length <= MAX_TOKEN_BYTES) return new Secret(text);
  throw new UsageError(
    `--user-token-file ${path} holds no access token: one line of printable characters`,
  );
}
