import { fileURLToPath } from "node:url";
import type { CallerCommand, CallerNews } from "./caller_process.ts";
import type { JoinDetails } from "./participant.ts";
import { startProcess } from "./process.ts";

/** A real WebRTC participant in a process of its own: a user's browser, which can be killed. */
export interface Caller extends AsyncDisposable {
  /**
   * Connects, media included. While an earlier connection of the same identity stands, the SFU puts
   * this one in its place, as when a browser reconnects.
   *
   * @returns The identity, as the SFU says.
   */
  join(details: JoinDetails): Promise<string>;
  /** Leaves as the button does: the SFU is told. */
  hangUp(): Promise<void>;
  /** Ends the process with SIGKILL; nobody is told. */
  kill(): Promise<void>;
  /** Resolves when the connection was lost and is back, without anything having been asked. */
  readonly reconnected: Promise<void>;
}

/** A native library is loaded, on a busy machine. */
const START_TIMEOUT_MS = 60_000;
/** Joining takes half a second. */
const ANSWER_TIMEOUT_MS = 40_000;

/** Starts a browser that is in no call yet. */
export async function startCaller(): Promise<Caller> {
  const news: CallerNews[] = [];
  let wake = Promise.withResolvers<void>();
  const process = startProcess(Deno.execPath(), {
    name: "caller",
    args: ["run", "-A", ...importMap(), fileURLToPath(import.meta.resolve("./caller_process.ts"))],
    env: { DENO_NO_UPDATE_CHECK: "1" },
    stdin: "piped",
    onLine(line) {
      if (!line.startsWith('{"news":')) return;
      news.push(JSON.parse(line));
      wake.resolve();
      wake = Promise.withResolvers();
    },
  });

  /** Waits for one kind of news and takes it; others stay for who waits for them. */
  async function expect(kind: CallerNews["news"], timeoutMs: number): Promise<CallerNews> {
    const deadline = AbortSignal.timeout(timeoutMs);
    const late = Promise.withResolvers<void>();
    deadline.addEventListener("abort", () => late.resolve());
    for (;;) {
      const index = news.findIndex((item) => item.news === kind || item.news === "failed");
      const [found] = index < 0 ? [] : news.splice(index, 1);
      if (found?.news === "failed") throw new Error(`The caller failed: ${found.message}`);
      if (found !== undefined) return found;
      if (deadline.aborted) {
        throw new Error(
          `The caller was not ${kind} in ${timeoutMs} ms:\n${process.lines.join("\n")}`,
        );
      }
      await Promise.race([wake.promise, late.promise]);
    }
  }
  async function ask(command: CallerCommand, answer: CallerNews["news"]): Promise<CallerNews> {
    await process.writeLine(JSON.stringify(command));
    return await expect(answer, ANSWER_TIMEOUT_MS);
  }
  async function kill(): Promise<void> {
    process.kill("SIGKILL");
    await process.ended;
  }

  await expect("ready", START_TIMEOUT_MS);
  return {
    async join({ url, jwt }) {
      const joined = await ask({ do: "join", url, jwt }, "joined");
      return joined.news === "joined" ? joined.identity : "";
    },
    async hangUp() {
      await ask({ do: "hang up" }, "hung up");
    },
    kill,
    get reconnected() {
      return expect("reconnected", 60_000).then(() => {});
    },
    [Symbol.asyncDispose]: kill,
  };
}

/** The import map that this very process runs with, see tools/deno.ts. */
function importMap(): string[] {
  const standIns = import.meta.resolve("@std/assert").startsWith("file:");
  return standIns
    ? [`--import-map=${fileURLToPath(import.meta.resolve("../../../tools/std/import_map.json"))}`]
    : [];
}
