import { TextLineStream } from "./text_lines.ts";

/** A foreign server's process with its output kept, see {@linkcode startProcess}. */
export interface RunningProcess extends AsyncDisposable {
  /** The name that messages use. */
  readonly name: string;
  /** Everything that was printed so far, both streams, line by line. */
  readonly lines: readonly string[];
  /** Resolves when the process has ended, however it ended. */
  readonly ended: Promise<Deno.CommandStatus>;
  /** Writes a line to its standard input, which `stdin` must have opened. */
  writeLine(line: string): Promise<void>;
  /** Sends a signal to this process alone. */
  kill(signal: Deno.Signal): void;
  /** Ends the process: SIGTERM, then SIGKILL when it takes longer than the grace. Safe to repeat. */
  stop(): Promise<void>;
}

/** What {@linkcode startProcess} needs to know beside the command. */
export interface StartProcessOptions {
  args: string[];
  /** Added to the environment of the tests. */
  env?: Record<string, string>;
  cwd?: string;
  /** The name that messages use. */
  name: string;
  /** How long {@linkcode RunningProcess.stop} waits after SIGTERM. */
  graceMs?: number;
  /** Opens its standard input for {@linkcode RunningProcess.writeLine}. */
  stdin?: "piped";
  /** Sees every line as it arrives. */
  onLine?(line: string): void;
}

/**
 * Starts a process that lives as long as a test needs it, and keeps what it prints.
 *
 * @param command The executable, by path.
 * @returns The process, which the caller must stop.
 */
export function startProcess(command: string, options: StartProcessOptions): RunningProcess {
  const { args, env = {}, cwd, name, graceMs = 5_000, stdin = "null", onLine } = options;
  const child = new Deno.Command(command, {
    args,
    env,
    ...(cwd === undefined ? {} : { cwd }),
    stdin,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const lines: string[] = [];
  const reading = Promise.all([child.stdout, child.stderr].map(async (stream) => {
    for await (const line of stream.pipeThrough(new TextLineStream())) {
      lines.push(line);
      onLine?.(line);
    }
  }));
  const input = stdin === "piped" ? child.stdin.getWriter() : undefined;
  const ended = child.status.then(async (status) => {
    await reading;
    // Its other end has gone, which makes closing fail.
    await input?.close().catch(() => {});
    return status;
  });
  let running = true;
  // An error outside of any test ends a test file without its afterAll: nothing may stay behind.
  const killAtUnload = () => kill("SIGKILL");
  addEventListener("unload", killAtUnload);
  const noteEnd = ended.then(() => {
    running = false;
    removeEventListener("unload", killAtUnload);
  });

  function kill(signal: Deno.Signal): void {
    if (running) child.kill(signal);
  }
  async function writeLine(line: string): Promise<void> {
    await input?.write(new TextEncoder().encode(`${line}\n`));
  }
  async function stop(): Promise<void> {
    if (!running) return;
    kill("SIGTERM");
    const timer = setTimeout(() => kill("SIGKILL"), graceMs);
    await noteEnd;
    clearTimeout(timer);
  }
  return { name, lines, ended, writeLine, kill, stop, [Symbol.asyncDispose]: stop };
}
