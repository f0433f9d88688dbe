import { fileURLToPath } from "node:url";
import { collectOutput, collectSecretsOf } from "./evidence.ts";

/** What a run of the service gets. */
export interface ServiceOptions {
  /** Environment variables. Of the own environment only what Deno itself needs is added. */
  env?: Record<string, string>;
  /** Arguments of the service: `["config"]`, `["serve", "--env-file", path]`. */
  args?: string[];
  /**
   * Program and first arguments in place of the usual ones: the binary named by
   * `MATRIXRTC_AUTH_BINARY`, or else Deno with main.ts.
   */
  command?: string[];
  /** Sees standard output and error as they arrive. */
  onOutput?(text: string): void;
  /** Finds the address in the output, for a program that words it in its own way. */
  address?: RegExp;
  /** How long it may take to listen; 20 s unless told. */
  startTimeoutMs?: number;
}

/** What a command that ends by itself left behind. */
export interface ServiceResult {
  /** Exit code. */
  code: number;
  /** All of its standard output. */
  stdout: string;
  /** All of its standard error. */
  stderr: string;
}

/** A service that listens. `await using service = …` ends it with the block. */
export interface RunningService extends AsyncDisposable {
  /** Where it answers: `http://127.0.0.1:PORT`, or `unix:/path`. */
  readonly url: string;
  /** The service's own process, also where a `command` puts tools/deno.ts before it (on Linux). */
  readonly pid: number;
  /** Standard output and error so far. */
  readonly output: string;
  /** Resolves with the match as soon as the output has one; rejects when the service ends first. */
  waitForLog(pattern: RegExp): Promise<RegExpMatchArray>;
  /** Resolves with the exit code once the service has ended, for whatever reason. */
  readonly exited: Promise<number>;
  /** Sends SIGTERM and resolves with the exit code. */
  stop(): Promise<number>;
  /** Sends SIGKILL and resolves once the process is gone. */
  kill(): Promise<void>;
}

/** The project's folder. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** From the start to the line that tells the address. */
const START_TIMEOUT_MS = 20_000;
/** Longer than the longest drain that a test configures. */
const STOP_TIMEOUT_MS = 30_000;
const LOG_TIMEOUT_MS = 20_000;
const COMMAND_TIMEOUT_MS = 30_000;
const PASSED_ON = [
  "PATH",
  "HOME",
  "DENO_DIR",
  "DENO_TLS_CA_STORE",
  "NODE_EXTRA_CA_CERTS",
  "TMPDIR",
];
const LISTENING = /(?<!metrics )listening on (https?:\/\/[^\s"]+|unix:[^\s"]+)(?=[\s"])/;

/**
 * Starts the service in a process of its own and waits until it listens.
 *
 * @example A service that answers, stopped at the end of the block
 * ```ts ignore
 * await using service = await startService({
 *   env: { LIVEKIT_JWT_BIND: "127.0.0.1:0", LIVEKIT_URL: sfu.url, … },
 * });
 * const response = await fetch(`${service.url}/healthz`);
 * ```
 *
 * @param options Its environment and arguments.
 * @returns The running service.
 * @throws {Error} When it ends, or its time is over, before it listens; the message has its output.
 */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const process = spawn(options);
  // Other programs, such as the demo, print tokens on purpose.
  const collect = options.command === undefined ? collectOutput("service") : () => {};
  let output = "";
  let ended = false;
  const watchers = new Set<() => void>();
  const notify = () => watchers.forEach((check) => check());
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      output += text;
      collect(text);
      options.onOutput?.(text);
      notify();
    }
  };
  const reading = Promise.all([read(process.stdout), read(process.stderr)]);
  const exited = process.status.then(async ({ code }) => {
    await reading;
    ended = true;
    notify();
    return code;
  });

  const waitForLog = (pattern: RegExp, timeoutMs = LOG_TIMEOUT_MS) =>
    new Promise<RegExpMatchArray>((resolve, reject) => {
      const finish = () => {
        watchers.delete(check);
        clearTimeout(timer);
      };
      const check = () => {
        const match = output.match(pattern);
        if (match === null && !ended) return;
        finish();
        if (match !== null) resolve(match);
        else reject(new Error(`The service ended without a line like ${pattern}:\n${output}`));
      };
      const timer = setTimeout(() => {
        finish();
        reject(new Error(`The service wrote no line like ${pattern} in time:\n${output}`));
      }, timeoutMs);
      watchers.add(check);
      check();
    });

  const kill = async () => {
    if (ended) return;
    // The child first: without its parent nobody could tell whose it was.
    for (const pid of [findChild(process.pid), process.pid]) {
      if (pid !== undefined) signal(pid, "SIGKILL");
    }
    await exited;
  };
  const stop = async () => {
    if (!ended) signal(process.pid, "SIGTERM");
    try {
      return await within(exited, STOP_TIMEOUT_MS, "stop");
    } catch (error) {
      await kill();
      throw new Error(`${(error as Error).message}:\n${output}`);
    }
  };

  try {
    const [, url] = await waitForLog(
      options.address ?? LISTENING,
      options.startTimeoutMs ?? START_TIMEOUT_MS,
    );
    return {
      url: url!,
      pid: findChild(process.pid) ?? process.pid,
      get output() {
        return output;
      },
      waitForLog: (pattern) => waitForLog(pattern),
      exited,
      stop,
      kill,
      [Symbol.asyncDispose]: kill,
    };
  } catch (error) {
    await kill();
    throw error;
  }
}

/**
 * Runs a command of the service that ends by itself, such as `config` or `version`.
 *
 * @param options Its environment and arguments.
 * @returns The exit code and what was written.
 * @throws {Error} When it is still running after 30 s; it is killed then.
 */
export async function runService(options: ServiceOptions): Promise<ServiceResult> {
  const process = spawn(options);
  const reading = Promise.all([
    new Response(process.stdout).text(),
    new Response(process.stderr).text(),
    process.status,
  ]);
  try {
    const [stdout, stderr, { code }] = await within(reading, COMMAND_TIMEOUT_MS, "end");
    // A registration is made of its tokens, and printed for nothing else.
    const isRegistration = options.args?.[1] === "registration";
    collectOutput("command")(isRegistration ? stderr : stdout + stderr);
    return { code, stdout, stderr };
  } catch (error) {
    for (const pid of [findChild(process.pid), process.pid]) {
      if (pid !== undefined) signal(pid, "SIGKILL");
    }
    await reading;
    throw error;
  }
}

/**
 * The command line without the service's own arguments. A tool that starts the service by itself
 * gets from here which one.
 *
 * @returns Program and arguments, for the project's folder as working directory.
 */
export function usualCommand(): string[] {
  const binary = Deno.env.get("MATRIXRTC_AUTH_BINARY");
  if (binary) return [binary];
  // tools/deno.ts has found out for this process whether JSR answers; the service gets the same
  // import map without asking again.
  const standIns = import.meta.resolve("@std/assert").startsWith("file:");
  const map = standIns ? ["--import-map=tools/std/import_map.json"] : [];
  // Quiet: with an empty cache the runtime would tell of its downloads in the service's output.
  return [Deno.execPath(), "run", "--quiet", "-A", ...map, "main.ts"];
}

function spawn({ env = {}, args = [], command = usualCommand() }: ServiceOptions) {
  collectSecretsOf(env);
  const [program, ...first] = command;
  if (program === undefined) throw new TypeError("Cannot start the service: the command is empty");
  const inherited = PASSED_ON.map((name) => [name, Deno.env.get(name)] as const)
    .filter((entry): entry is readonly [string, string] => entry[1] !== undefined);
  return new Deno.Command(program, {
    args: [...first, ...args],
    cwd: ROOT,
    clearEnv: true,
    env: { ...Object.fromEntries(inherited), ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** The process that tools/deno.ts has started, looked up in /proc. */
function findChild(parent: number): number | undefined {
  if (Deno.build.os !== "linux") return undefined;
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // The name in parentheses may hold anything; state and parent follow the last one.
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      const [, ppid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (Number(ppid) === parent) return Number(name);
    } catch {
      // It has ended since it was listed.
    }
  }
  return undefined;
}

function signal(pid: number, name: Deno.Signal): void {
  try {
    Deno.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}

async function within<T>(promise: Promise<T>, timeoutMs: number, verb: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_, reject) => {
    const error = new Error(`The service failed to ${verb} within ${timeoutMs} ms`);
    timer = setTimeout(reject, timeoutMs, error);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
