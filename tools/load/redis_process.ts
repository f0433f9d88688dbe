import { untilEnded } from "./children.ts";
import { findFreePort } from "./free_port.ts";

/** A Redis server that keeps nothing. `await using redis = …` ends it with the block. */
export interface RedisProcess extends AsyncDisposable {
  /** For `LIVEKIT_REDIS_URL`. */
  readonly url: string;
  /** Stops it from running, connections open, until {@linkcode RedisProcess.thaw}. */
  freeze(): void;
  thaw(): void;
}

const START_TIMEOUT_MS = 10_000;
const POLL_MS = 10;

/**
 * Starts `redis-server` on a free port of 127.0.0.1 and waits until it answers.
 *
 * @param folder Its working directory.
 * @throws {Error} When there is no such program, or it does not answer within 10 s.
 */
export async function startRedisProcess(folder: string): Promise<RedisProcess> {
  const port = findFreePort();
  let process: Deno.ChildProcess;
  try {
    process = new Deno.Command("redis-server", {
      args: ["--bind", "127.0.0.1", "--port", `${port}`, "--save", "", "--appendonly", "no"],
      cwd: folder,
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
  } catch (cause) {
    throw new Error("--redis needs redis-server in the PATH", { cause });
  }
  const exited = untilEnded(process);
  let ended = false;
  exited.then(() => ended = true);
  const stop = async () => {
    // Also ends a frozen one; there is nothing that it would have to write.
    if (!ended) process.kill("SIGKILL");
    await exited;
  };
  const start = performance.now();
  while (!await answers(port)) {
    if (ended || performance.now() - start > START_TIMEOUT_MS) {
      await stop();
      throw new Error(`redis-server failed to start on port ${port}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    freeze: () => process.kill("SIGSTOP"),
    thaw: () => process.kill("SIGCONT"),
    [Symbol.asyncDispose]: stop,
  };
}

async function answers(port: number): Promise<boolean> {
  try {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(new TextEncoder().encode("PING\r\n"));
    const buffer = new Uint8Array(64);
    const length = await connection.read(buffer) ?? 0;
    return new TextDecoder().decode(buffer.subarray(0, length)).startsWith("+PONG");
  } catch {
    return false; // nobody listens yet
  }
}
