/** The program: arguments, environment, wiring, signals. */

import { randomBytes } from "node:crypto";
import { cpuUsage } from "node:process";
import type { Logger } from "@logtape/logtape";
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
import { withDeadline } from "./lib/deadline.ts";
import { chooseStore, storeKindOf } from "./lib/delayed_leave/stores/choose_store.ts";
import { StoreError } from "./lib/delayed_leave/store.ts";
import type { Handler } from "./lib/http/handler.ts";
import { formatListenAddress, listen, type Listener } from "./lib/http/listen.ts";
import { createMetricsHandler } from "./lib/http/metrics_endpoint.ts";
import { lookupAddresses } from "./lib/net/dial.ts";
import type { HttpClient } from "./lib/net/http_client.ts";
import { createOutgoingClient } from "./lib/net/outgoing_client.ts";
import { readSystemTrust } from "./lib/net/system_trust.ts";
import { installTlsTrust } from "./lib/net/tls_trust.ts";
import { createLogger, describeError } from "./lib/observability/logger.ts";
import type { Metrics } from "./lib/observability/metrics/metrics.ts";
import { chooseSharedCounts } from "./lib/rate_limit/compose.ts";
import type { Tracing } from "./lib/observability/tracing/start_tracing.ts";
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
/** For the last traces to be sent, if the drain leaves that much. */
const MAX_TRACES_MS = 3_000;

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

async function serve({ config, warnings }: LoadedConfig): Promise<number> {
  const { log, flush } = await createLogger({ ...config.log, write: writeToStderr, clock });
  for (const { message } of warnings) log.warning(message);
  if (Deno.env.has("DENO_SERVE_ADDRESS")) {
    log.warning(
      "DENO_SERVE_ADDRESS is set: the runtime listens there, whatever LIVEKIT_JWT_BIND says",
    );
  }
  const trust = installTlsTrust(readSystemTrust(config), config.caFile ? [config.caFile.pem] : []);
  const client = createOutgoingClient(config, { clock, lookup: lookupAddresses, trust });
  const metrics = await loadMetrics(config);
  const sharedCounts = chooseSharedCounts(config, { clock, lookup: lookupAddresses, trust });
  const tracing = await loadTracing(config, client, log);
  const watchers = [metrics?.steps, tracing?.watcher].filter((watcher) => watcher !== undefined);
  const service = createService(config, log, {
    clock: tracing?.clock ?? clock,
    client,
    lookupSrv: (name) => lookupSrv(name, clock),
    random: Math.random,
    store: chooseStore(config, log, {
      clock,
      lookup: lookupAddresses,
      trust,
      random: Math.random,
    }),
    ...(sharedCounts && { sharedCounts }),
    watchers,
    configWarnings: warnings.length,
    ...(metrics && { leaveWatcher: metrics.leaves }),
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
  let metricsListener: Listener | undefined;
  let variable = "MATRIXRTC_METRICS_BIND";
  let address = config.metricsListen;
  try {
    if (address !== undefined) {
      metricsListener = await listen(address, createMetricsHandler(metrics!.render));
    }
    variable = "LIVEKIT_JWT_BIND";
    address = config.listen;
    listener = await listen(address, service.handle);
  } catch (error) {
    log.error(
      `cannot listen on ${formatListenAddress(address!)}: ${describeError(error)}; ` +
        `choose another address in ${variable}`,
    );
    await metricsListener?.shutdown();
    await endLog(flush);
    return EXIT.failure;
  }
  await giveUpFiles(config, storeKindOf(config) === "redis" || sharedCounts !== undefined);
  if (metricsListener !== undefined) log.info(`metrics listening on ${metricsListener.address}`);
  log.info(`listening on ${listener.address}`, { version: VERSION, ...summaryOf(config) });
  // In development the service starts often and seldom meets a rush.
  if (Deno.build.standalone) {
    clock.after(WARM_UP_AFTER_MS, () => void warmUpTls({ trust, clock }).catch(() => {}));
  }

  log.info(`received ${await stopped}, finishing the requests in work`);
  const drainEndsAt = clock.monotonic() + config.shutdownSeconds * 1000;
  try {
    const late = () => new Error(`requests were cut off after ${config.shutdownSeconds} s`);
    await withDeadline(end(service.handle, listener), config.shutdownSeconds * 1000, clock, late);
    log.info("stopped");
  } catch (error) {
    log.warning(describeError(error));
  }
  const tracesMs = Math.min(Math.max(drainEndsAt - clock.monotonic(), SENDING_MS), MAX_TRACES_MS);
  await Promise.all([service.close(KEEPING_MS), tracing?.flush(tracesMs)]);
  // To the end, so that the last scrape tells how the end went; who scrapes slowly is not waited for.
  if (metricsListener !== undefined) {
    const late = () => new Error("somebody scrapes slowly");
    await withDeadline(metricsListener.shutdown(), SENDING_MS, clock, late).catch(() => {});
  }
  await endLog(flush);
  return EXIT.ok;
}

/** Makes the metrics, whose code is not even loaded where nobody asks for them. */
async function loadMetrics(config: Config): Promise<Metrics | undefined> {
  if (config.metricsListen === undefined) return undefined;
  const { createMetrics } = await import("./lib/observability/metrics/metrics.ts");
  return createMetrics(config, clock, {
    version: VERSION,
    runtime: Deno.version.deno,
    residentMemory: () => Deno.memoryUsage().rss,
    cpuSeconds() {
      const { user, system } = cpuUsage();
      return (user + system) / 1e6;
    },
  });
}

/** Starts tracing, whose code is not even loaded where nobody asks for it. */
async function loadTracing(
  { tracing }: Config,
  client: HttpClient,
  log: Logger,
): Promise<Tracing | undefined> {
  if (tracing === undefined) return undefined;
  const { startTracing } = await import("./lib/observability/tracing/start_tracing.ts");
  const fillRandom = (bytes: Uint8Array<ArrayBuffer>) => void crypto.getRandomValues(bytes);
  return await startTracing(tracing, { clock, client, random: Math.random, fillRandom, log });
}

/** From here on no file is opened any more; a fault in a library cannot open one either. */
async function giveUpFiles(
  { listen, metricsListen, delegation }: Config,
  usesRedis: boolean,
): Promise<void> {
  // Connecting to a unix socket again takes both permissions.
  const redis = delegation.redis && readRedisUrl(delegation.redis.url.reveal());
  if (usesRedis && redis !== undefined && "path" in redis.place) return;
  await Deno.permissions.revoke({ name: "read" });
  // A unix socket's file is removed at the end.
  if (listen.kind !== "unix" && metricsListen?.kind !== "unix") {
    await Deno.permissions.revoke({ name: "write" });
  }
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
        // Some pseudo-terminals say 0.
        columns: Deno.consoleSize().columns || 80,
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
