import { LRUCache } from "lru-cache";
import type { PerformAction } from "../homeserver_action.ts";
import { type QueueOptions, ServerQueue } from "./server_queue.ts";

/** Servers of which something is remembered although nothing is to be done there. */
const MAX_RESTING = 1_000;

/**
 * Makes the function that performs actions, with a queue for each server: one
 * that hangs, fails or limits keeps nobody else's users waiting.
 *
 * An action is tried until it succeeds, is refused, or its time is over. No
 * attempt begins after the deadline, except that a send is tried once at least.
 *
 * A queue lives while there is something to do; of a server that limits or fails
 * that much is remembered.
 */
export function createHomeserverQueues(options: QueueOptions): PerformAction {
  const busy = new Map<string, ServerQueue>();
  const resting = new LRUCache<string, ServerQueue>({ max: MAX_RESTING });

  function onIdle(serverName: string): void {
    const queue = busy.get(serverName);
    busy.delete(serverName);
    if (queue?.hasMemory(options.clock.monotonic())) resting.set(serverName, queue);
  }

  function queueOf(serverName: string): ServerQueue {
    let queue = busy.get(serverName);
    if (queue !== undefined) return queue;
    queue = resting.get(serverName) ??
      new ServerQueue(serverName, options, () => onIdle(serverName));
    resting.delete(serverName);
    busy.set(serverName, queue);
    return queue;
  }

  return (action) => new Promise((resolve) => queueOf(action.job.serverName).add(action, resolve));
}
