import { LRUCache } from "lru-cache";
import type { PerformAction } from "../homeserver_action.ts";
import type { Job } from "../job.ts";
import { type QueueOptions, ServerQueue } from "./server_queue.ts";

/** What all queues together need. */
export interface HomeserverQueuesOptions extends QueueOptions {
  /**
   * Whether calls for a job carry a token. A homeserver limits those by user, or not at all, and
   * all others by address: neither kind waits for what the other is told. Without it no call does.
   */
  readonly hasToken?: (job: Job) => boolean;
}

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
export function createHomeserverQueues(options: HomeserverQueuesOptions): PerformAction {
  const busy = new Map<string, ServerQueue>();
  const resting = new LRUCache<string, ServerQueue>({ max: MAX_RESTING });

  function onIdle(key: string): void {
    const queue = busy.get(key);
    busy.delete(key);
    if (queue?.hasMemory(options.clock.monotonic())) resting.set(key, queue);
  }

  function queueOf(job: Job): ServerQueue {
    // No server name has a blank in it.
    const key = options.hasToken?.(job) === true ? `${job.serverName} with token` : job.serverName;
    let queue = busy.get(key);
    if (queue !== undefined) return queue;
    queue = resting.get(key) ?? new ServerQueue(job.serverName, options, () => onIdle(key));
    resting.delete(key);
    busy.set(key, queue);
    return queue;
  }

  return (action) => new Promise((resolve) => queueOf(action.job).add(action, resolve));
}
