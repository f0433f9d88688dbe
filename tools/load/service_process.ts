import { ROOT } from "../../tests/support/service.ts";
import { collectFile, collectSecretsOf } from "../../tests/support/evidence.ts";
import { untilEnded } from "./children.ts";
import { findFreePort } from "./free_port.ts";
import { HttpConnection } from "./http_connection.ts";
import { cpuSecondsOf, rssMiBOf } from "./process_figures.ts";

/** How to start the service for a load run. */
export interface ServiceProcessOptions {
  /** Program and arguments. */
  command: string[];
  /** Its environment, without the address: that is chosen here. */
  env: Record<string, string>;
  /** File for its log. A pipe would make the load client read it. */
  logPath: string;
}

/** The service as the system sees it. `await using service = …` stops it with the block. */
export interface ServiceProcess extends AsyncDisposable {
  /** Port on 127.0.0.1. */
  readonly port: number;
  /** From its start until `/healthz` was answered. */
  readonly firstHealthzMs: number;
  /** Processor time so far, user and system, all threads. */
  cpuSeconds(): Promise<number>;
  /** Resident memory now. */
  rssMiB(): Promise<number>;
}

const START_TIMEOUT_MS = 30_000;
const POLL_MS = 1;
const KEPT = ["PATH", "HOME", "DENO_DIR", "DENO_TLS_CA_STORE", "NODE_EXTRA_CA_CERTS", "TMPDIR"];
const HEALTHZ = new TextEncoder().encode("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");

/**
 * Starts the service and waits for its first `/healthz`. Linux only: the figures come from /proc.
 *
 * @param options Program, environment and log file.
 * @returns The service, serving.
 * @throws {Error} When it does not answer within 30 s; the message has its log.
 */
export async function startServiceProcess(
  options: ServiceProcessOptions,
): Promise<ServiceProcess> {
  const port = findFreePort();
  const kept = KEPT.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  collectSecretsOf(options.env);
  const start = performance.now();
  const process = new Deno.Command("sh", {
    // The shell makes way for the service, so that the process is the service's own.
    args: ["-c", 'exec "$@" >/dev/null 2>"$0"', options.logPath, ...options.command],
    cwd: ROOT,
    clearEnv: true,
    env: {
      ...Object.fromEntries(kept),
      ...options.env,
      LIVEKIT_JWT_BIND: `127.0.0.1:${port}`,
    },
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  let ended = false;
  const exited = untilEnded(process).then(async () => {
    ended = true;
    await collectFile("load", options.logPath);
  });
  const stop = async () => {
    if (!ended) process.kill("SIGTERM");
    const timer = setTimeout(() => process.kill("SIGKILL"), START_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  };

  while (!await isHealthy(port)) {
    if (ended || performance.now() - start > START_TIMEOUT_MS) {
      await stop();
      const log = await Deno.readTextFile(options.logPath);
      throw new Error(`The service failed to start with ${options.command.join(" ")}:\n${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const firstHealthzMs = performance.now() - start;
  return {
    port,
    firstHealthzMs,
    cpuSeconds: () => cpuSecondsOf(process.pid),
    rssMiB: () => rssMiBOf(process.pid),
    [Symbol.asyncDispose]: stop,
  };
}

async function isHealthy(port: number): Promise<boolean> {
  try {
    using connection = await HttpConnection.open(port);
    return (await connection.exchange(HEALTHZ)).status === 200;
  } catch {
    return false; // nobody listens yet
  }
}
