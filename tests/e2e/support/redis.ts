import { join } from "node:path";
import { Redis as Client } from "ioredis";
import { collectSecret } from "../../support/evidence.ts";
import type { TestCertificate } from "../../support/test_ca.ts";
import { installed } from "./installed.ts";
import { freePorts } from "./ports.ts";
import { type RunningProcess, startProcess } from "./process.ts";
import { waitUntilReady } from "./ready.ts";

/** A real Redis or Valkey on loopback and at a Unix socket. Everything may be done by who gives no name. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  /** `redis://127.0.0.1:PORT`, or `rediss://localhost:PORT`. */
  readonly url: string;
  /** The path of its socket. */
  readonly socket: string;
  /** Sends a command, as a client of its own; the password is known there. */
  command(command: string, ...args: (string | number)[]): Promise<unknown>;
  /** Sends a signal to the server alone. */
  kill(signal: Deno.Signal): void;
  /** Ends it, SIGKILL by default, and waits until it is gone. */
  stop(signal?: Deno.Signal): Promise<void>;
  /** Starts it again at the same places. */
  restart(): Promise<void>;
}

/** How a server is started. */
export interface RedisServerOptions {
  /** Which of the two; Redis unless told. */
  readonly server?: "redis" | "valkey";
  /** TLS at the port in place of plain TCP; the socket stays plain. */
  readonly tls?: TestCertificate;
  /** Of the user without a name. */
  readonly password?: string;
  /** Further settings, as on the command line: `["--maxmemory", "5mb"]`. */
  readonly args?: readonly string[];
  /** Keeps data in its folder, each change at once. */
  readonly persistent?: boolean;
}

/** Starts a server for the tests and waits until it serves. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const { server: kind = "redis", tls, password, persistent = false } = options;
  const folder = await Deno.makeTempDir({ prefix: "redis-" });
  const [port] = freePorts(1) as [number];
  const socket = join(folder, "redis.sock");
  const args = [
    ...["--bind", "127.0.0.1", "--unixsocket", socket, "--dir", folder, "--save", ""],
    ...["--appendonly", persistent ? "yes" : "no", "--appendfsync", "always"],
    ...(password === undefined ? [] : ["--requirepass", password]),
    ...(tls === undefined ? ["--port", `${port}`] : await tlsArgs(folder, port, tls)),
    ...options.args ?? [],
  ];

  if (password !== undefined) collectSecret("Redis password", password);
  async function start(): Promise<RunningProcess> {
    const started = startProcess(installed(kind), { name: kind, args });
    await waitUntilReady(started, {
      timeoutMs: 10_000,
      probe: () =>
        Promise.resolve(started.lines.some((line) => line.includes("eady to accept connections"))),
    });
    return started;
  }

  let process = await start();
  let client: Client | undefined;
  function disconnect(): void {
    client?.disconnect();
    client?.stream?.destroy();
    client = undefined;
  }
  async function stop(signal: Deno.Signal = "SIGKILL"): Promise<void> {
    disconnect();
    process.kill(signal);
    // One that is stopped would never notice.
    process.kill("SIGCONT");
    await process.ended;
  }
  return {
    port,
    url: tls === undefined ? `redis://127.0.0.1:${port}` : `rediss://localhost:${port}`,
    socket,
    command(command, ...args) {
      client ??= new Client({ path: socket, ...(password !== undefined && { password }) });
      return client.call(command, ...args);
    },
    kill: (signal) => process.kill(signal),
    stop,
    async restart() {
      process = await start();
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function tlsArgs(folder: string, port: number, tls: TestCertificate): Promise<string[]> {
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  await Deno.writeTextFile(cert, tls.cert);
  await Deno.writeTextFile(key, tls.key, { mode: 0o600 });
  return [
    ...["--port", "0", "--tls-port", `${port}`, "--tls-auth-clients", "no"],
    ...["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert],
  ];
}
