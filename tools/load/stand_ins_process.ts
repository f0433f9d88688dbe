import { fileURLToPath } from "node:url";
import type { JoinReport, LeaveReport, LoadUsersOptions, PhaseOptions } from "./load_users.ts";
import type { StandInsDelays, StandInsReady, StandInsStats } from "./stand_ins.ts";

/** The stand-ins, running. `await using standIns = …` ends them with the block. */
export interface StandIns extends StandInsReady, AsyncDisposable {
  /** Asks what they have counted. */
  stats(): Promise<StandInsStats>;
  /** Tells them how long to take from now on. */
  setDelays(delays: StandInsDelays): Promise<void>;
  /** Makes users, in place of those before. */
  makeUsers(options: LoadUsersOptions): Promise<void>;
  /** Lets all of them join; rejects when that does not end. */
  join(phase: PhaseOptions): Promise<JoinReport>;
  /** Lets all of them leave at once; rejects when the service does not take the webhooks. */
  leave(phase: PhaseOptions): Promise<LeaveReport>;
  /** The process. */
  readonly pid: number;
}

const START_TIMEOUT_MS = 60_000;
const ORDER_TIMEOUT_MS = 60_000;

/**
 * Starts homeservers and SFU in a process of their own, so that their work does not count as the
 * service's or the client's.
 *
 * @returns Where they listen, and how to ask them.
 * @throws {Error} When they do not start within a minute.
 */
export async function startStandIns(): Promise<StandIns> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", fileURLToPath(new URL("stand_ins.ts", import.meta.url))],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const end = async () => {
    await process.stdin.close().catch(() => {}); // it has ended by itself
    await process.status;
  };
  const timer = setTimeout(() => process.kill("SIGKILL"), START_TIMEOUT_MS);
  const lines = process.stdout.pipeThrough(new TextDecoderStream());
  let text = "";
  for await (const part of lines) {
    text += part;
    if (text.includes("\n")) break; // it says no more than this
  }
  clearTimeout(timer);
  if (!text.includes("\n")) {
    await end();
    throw new Error("The stand-ins failed to start");
  }
  const ready: StandInsReady = JSON.parse(text);
  const order = async (path: string, body: unknown, phaseMs = 0): Promise<Response> => {
    const url = `${ready.controlUrl}/${path}`;
    const response = await fetch(url, {
      method: "PUT",
      body: JSON.stringify(body),
      // Who leaves waits once for the webhooks and once for the leaves.
      signal: AbortSignal.timeout(2 * phaseMs + ORDER_TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`Users failed to ${path}: ${await response.text()}`);
    return response;
  };
  return {
    ...ready,
    pid: process.pid,
    stats: async () => (await fetch(`${ready.controlUrl}/stats`)).json(),
    setDelays: async (delays) => await (await order("delays", delays)).body?.cancel(),
    makeUsers: async (options) => await (await order("users", options)).body?.cancel(),
    join: async (phase) => (await order("join", phase, phase.timeoutMs)).json(),
    leave: async (phase) => (await order("leave", phase, phase.timeoutMs)).json(),
    [Symbol.asyncDispose]: end,
  };
}
