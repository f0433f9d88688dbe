const running = new Set<Deno.ChildProcess>();

/**
 * Remembers a process that would outlive this one, until it has ended.
 *
 * @returns Resolves when it has.
 */
export async function untilEnded(process: Deno.ChildProcess): Promise<void> {
  running.add(process);
  try {
    await process.status;
  } finally {
    running.delete(process);
  }
}

/** Kills every such process that is still running, for a load run that is told to end. */
export function killChildren(): void {
  for (const process of running) process.kill("SIGKILL");
}
