/** The program: arguments, environment, wiring, signals. */

import { randomBytes } from "node:crypto";
import { type Command, parseArguments, UsageError } from "./lib/cli/arguments.ts";
import { askHealth } from "./lib/cli/healthcheck.ts";
import { helpText } from "./lib/cli/help.ts";
import { formatRegistration } from "./lib/cli/registration.ts";
import type { Config } from "./lib/config/config.ts";
import { ConfigError, type Finding } from "./lib/config/config_error.ts";
import { readRedisUrl } from "./lib/config/parse/parse_redis_url.ts";
import { formatSettings } from "./lib/config/format_settings.ts";
import { loadConfig, type LoadedConfig } from "./lib/config/load_config.ts";
import { loadRegistrationSettings } from "./lib/config/registration/registration_settings.ts";
import type { ConfigSources } from "./lib/config/sources/sources.ts";
import { WITHOUT_EFFECT } from "./lib/config/without_effect.ts";
import { withDeadline } from "./lib/deadline.ts";
import { chooseStore, storeKindOf } from "./lib/delayed_leave/stores/choose_store.ts";
import { StoreError } from "./lib/delayed_leave/store.ts";
import type { Handler } from "./lib/http/handler.ts";
import { formatListenAddress, listen, type Listener } from "./lib/http/listen.ts";
import { lookupAddresses } from "./lib/net/dial.ts";
import { createOutgoingClient } from "./lib/net/outgoing_client.ts";
import { readSystemTrust } from "./lib/net/system_trust.ts";
import { installTlsTrust } from "./lib/net/tls_trust.ts";
import { createLogger, describeError } from "./lib/observability/logger.ts";
import { createService } from "./lib/service.ts";
import { createSystemClock } from "./lib/system_clock.ts";
import { warmUpTls } from "./lib/net/warm_up.ts";
import { lookupSrv } from "./lib/verification/srv.ts";
import { VERSION } from "./lib/version.ts";

/** Exit codes, after sysexits.h where it has one. */
const EXIT = { ok: 0, failure: 1, usage: 64, config: 78 } as const;

const MAX_ENV_FILE_BYTES = 1024 * 1024;
const TOKEN_BYTES = 32;
const LOG_TIMEOUT_MS = 500;
/** Whoever waits for the service to be there is answered first. */
const WARM_UP_AFTER_MS = 25;
/** One Ctrl-C arrives several times: from the terminal, and from each parent that passes it on. */
const ONE_SIGNAL_MS = 200;
/** For the last replies to leave, at the end. */
const SENDING_MS = 500;
/** For the last news of jobs to be kept, after that. */
const KEEPING_MS = 1_000;

const clock = createSystemClock();

/** Reads a file that a variable names; of a device without end no more than was asked for. */
function readFile(path: string, maxBytes: number): string {
  using file = Deno.openSync(path);
  const bytes = new Uint8Array(maxBytes + 1);
  let length = 0;
  while (length < bytes.length) {
    const read = file.readSync(bytes.subarray(length));
    if (read === null) break;
    length += read;
  }
  return new TextDecoder().decode(bytes.subarray(0, length));
}

function configSources({ envFile, mayLackEnvFile }: Command): ConfigSources {
  const env = Deno.env.toObject();
  if (envFile === undefined) return { env, readFile };
  let text: string;
  try {
    text = readFile(envFile, MAX_ENV_FILE_BYTES);
  } catch (error) {
    if (mayLackEnvFile && error instanceof Deno.errors.NotFound) return { env, readFile };
    const message = `--env-file ${envFile} cannot be read: ${(error as Error).name}`;
    throw new ConfigError([{ variable: "--env-file", message }]);
  }
  return { env, readFile, envFile: { path: envFile, text } };
}

async function serve({ config, settings, warnings }: LoadedConfig): Promise<number> {
  const { log, flush } = await createLogger({ ...config.log, write: writeToStderr, clock });
  for (const { message } of warnings) log.warning(message);
  const withoutEffect = new Set<string>(WITHOUT_EFFECT);
  const unused = settings.filter(({ name, source }) =>
    source !== "default" && withoutEffect.has(name)
  ).map(({ name }) => name);
  if (unused.length > 0) log.warning(`without effect in this version: ${unused.join(", ")}`);
  if (Deno.env.has("DENO_SERVE_ADDRESS")) {
    log.warning(
      "DENO_SERVE_ADDRESS is set: the runtime listens there, whatever LIVEKIT_JWT_BIND says",
    );
  }
  const trust = installTlsTrust(readSystemTrust(config), config.caFile ? [config.caFile.pem] : []);
  const client = createOutgoingClient(config, { clock, lookup: lookupAddresses, trust });
  const service = createService(config, log, {
    clock,
    client,
    lookupSrv: (name) => lookupSrv(name, clock),
    random: Math.random,
    store: chooseStore(config, log, {
      clock,
      lookup: lookupAddresses,
      trust,
      random: Math.random,
    }),
  });
  const stopped = waitForSignal();
  // An error that nobody catches must not end the service for everyone else.
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    log.error(`bug: ${describeError(event.error)}`);
  });
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log.error(`bug: ${describeError(event.reason)}`);
  });

  try {
    await service.start();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    log.error(`cannot start: ${describeError(error)}`);
    await endLog(flush);
    return EXIT.failure;
  }
  let listener: Listener;
  try {
    listener = await listen(config.listen, service.handle);
  } catch (error) {
    log.error(
      `cannot listen on ${formatListenAddress(config.listen)}: ${describeError(error)}; ` +
        "choose another address in LIVEKIT_JWT_BIND",
    );
    await endLog(flush);
    return EXIT.failure;
  }
  await giveUpFiles(config);
  log.info(`listening on ${listener.address}`, { version: VERSION, ...summaryOf(config) });
  // In development the service starts often and seldom meets a rush.
  if (Deno.build.standalone) {
    clock.after(WARM_UP_AFTER_MS, () => void warmUpTls({ trust, clock }).catch(() => {}));
  }

  log.info(`received ${await stopped}, finishing the requests in work`);
  try {
    const late = () => new Error(`requests were cut off after ${config.shutdownSeconds} s`);
    await withDeadline(end(service.handle, listener), config.shutdownSeconds * 1000, clock, late);
    log.info("stopped");
  } catch (error) {
    log.warning(describeError(error));
  }
  await service.close(KEEPING_MS);
  await endLog(flush);
  return EXIT.ok;
}

/** From here on no file is opened any more; a fault in a library cannot open one either. */
async function giveUpFiles({ listen, delegation }: Config): Promise<void> {
  // Connecting to a unix socket again takes both permissions.
  const redis = delegation.redis && readRedisUrl(delegation.redis.url.reveal());
  if (delegation.mode !== "off" && redis !== undefined && "path" in redis.place) return;
  await Deno.permissions.revoke({ name: "read" });
  // A unix socket's file is removed at the end.
  if (listen.kind !== "unix") await Deno.permissions.revoke({ name: "write" });
}

/**
 * Resolves when all requests are answered. The server itself would also wait for
 * those that never come to an end: half a head, or a body that nobody sends.
 */
function end(handle: Handler, listener: Listener): Promise<void> {
  const answered = handle.drain();
  const sent = answered.then(() =>
    new Promise<void>((resolve) => void clock.after(SENDING_MS, resolve))
  );
  return Promise.race([listener.shutdown(), sent]);
}

/** Waits for the last lines, but not for a reader of the log who has stopped reading. */
async function endLog(flush: () => Promise<void>): Promise<void> {
  const late = () => new Error("nobody reads the log");
  await withDeadline(flush(), LOG_TIMEOUT_MS, clock, late).catch(() => {});
}

function summaryOf(config: Config): Record<string, string> {
  const { fullAccess, liveKit, appService } = config;
  return {
    sfu: liveKit.apiUrl,
    fullAccess: fullAccess.join(",") || "nobody",
    ...appService && { homeserver: appService.serverName },
    delegation: storeKindOf(config),
  };
}

function waitForSignal(): Promise<string> {
  return new Promise((resolve) => {
    let receivedAt: number | undefined;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      // Windows knows no SIGTERM.
      if (Deno.build.os === "windows" && signal === "SIGTERM") continue;
      Deno.addSignalListener(signal, () => {
        receivedAt ??= clock.monotonic();
        // Whoever asks twice does not want to wait for the drain.
        if (clock.monotonic() - receivedAt > ONE_SIGNAL_MS) Deno.exit(EXIT.failure);
        resolve(signal);
      });
    }
  });
}

async function writeToStderr(bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await Deno.stderr.write(bytes.subarray(written));
  }
}

function report(findings: readonly Finding[], prefix: string): void {
  for (const { message } of findings) console.error(`${prefix}: ${message}`);
}

function randomToken(): string {
  return randomBytes(TOKEN_BYTES).toString("hex");
}

/** Its parts are loaded for this command only. */
async function diagnose(command: Command): Promise<number> {
  const { runDoctor } = await import("./lib/cli/doctor.ts");
  const isPlain = (Deno.env.get("NO_COLOR") ?? "") !== "";
  return await runDoctor(command.doctor!, {
    clock,
    readFile,
    load: () => loadConfig(configSources(command)),
    connect(config) {
      const trust = installTlsTrust(
        readSystemTrust(config),
        config.caFile ? [config.caFile.pem] : [],
      );
      return {
        trust,
        client: createOutgoingClient(config, { clock, lookup: lookupAddresses, trust }),
        lookup: lookupAddresses,
        lookupSrv: (name) => lookupSrv(name, clock),
        random: Math.random,
      };
    },
    print: (text) => console.log(text.trimEnd()),
    hasColour: Deno.stdout.isTerminal() && !isPlain,
    ...Deno.stderr.isTerminal() && {
      progress: {
        columns: Deno.consoleSize().columns,
        show: (line) => void Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${line}`)),
      },
    },
  });
}

async function run(command: Command): Promise<number> {
  if (command.name === "version") {
    console.log(`matrixrtc-auth ${VERSION}`);
    return EXIT.ok;
  }
  if (command.name === "doctor") return await diagnose(command);
  const sources = configSources(command);
  if (command.name === "config registration") {
    const settings = loadRegistrationSettings(sources, command.registration);
    const tokens = { asToken: randomToken(), hsToken: randomToken() };
    console.log(formatRegistration(settings, tokens).trimEnd());
    return EXIT.ok;
  }
  const loaded = loadConfig(sources);
  if (command.name === "config") {
    console.log(formatSettings(loaded.settings).trimEnd());
    report(loaded.warnings, "warning");
    return EXIT.ok;
  }
  if (command.name === "serve") return await serve(loaded);
  const problem = await askHealth(loaded.config.listen);
  if (problem === undefined) return EXIT.ok;
  console.error(`not healthy: ${problem}`);
  return EXIT.failure;
}

async function main(args: readonly string[]): Promise<number> {
  try {
    const { command } = parseArguments(args);
    if (command !== undefined && !command.isHelp) return await run(command);
    console.log(helpText(command?.name));
    return EXIT.ok;
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\nTry "matrixrtc-auth --help".`);
      return EXIT.usage;
    }
    if (error instanceof ConfigError) {
      report(error.warnings, "warning");
      report(error.faults, "error");
      return EXIT.config;
    }
    throw error;
  }
}

Deno.exit(await main(Deno.args));
