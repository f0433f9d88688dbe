import { cpuSecondsOf } from "../load/process_figures.ts";

/** What calls of one kind cost a server. */
export interface CallCost {
  readonly call: string;
  readonly calls: number;
  /** With everything on one machine, this process included. */
  readonly callsPerSecond: number;
  /** Processor time of the server for one call. */
  readonly cpuMs: number;
}

/** What is called, and how often. */
export interface Hammering {
  readonly call: string;
  readonly count: number;
  /** Calls under way at any time. */
  readonly connections: number;
  /** The server's process. */
  readonly pid: number;
  /** Makes the call of that number, and throws if it fails. */
  readonly action: (number: number) => Promise<void>;
}

/** Makes calls as fast as the server takes them. */
export async function hammer(options: Hammering): Promise<CallCost> {
  const { call, count, connections, pid, action } = options;
  const cpuBefore = await cpuSecondsOf(pid);
  const startedAt = performance.now();
  let next = 0;
  await Promise.all(Array.from({ length: connections }, async () => {
    while (next < count) await action(next++);
  }));
  const seconds = (performance.now() - startedAt) / 1_000;
  const cpuSeconds = await cpuSecondsOf(pid) - cpuBefore;
  return { call, calls: count, callsPerSecond: count / seconds, cpuMs: cpuSeconds * 1_000 / count };
}

/** The processes that this one has started. Linux only. */
export async function childPids(): Promise<number[]> {
  const pids: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    // The name in parentheses may hold anything; state and parent come after it.
    const [, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (Number(parent) === Deno.pid) pids.push(Number(name));
  }
  return pids;
}
