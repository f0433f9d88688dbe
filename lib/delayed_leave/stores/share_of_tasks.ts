import { createHash } from "node:crypto";

/**
 * Says which replica a task falls to, without a word between them: all who know
 * of the same replicas say the same, and one that comes or goes takes or leaves
 * no more than its own share.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { replicaForTask } from "./share_of_tasks.ts";
 *
 * assertEquals(replicaForTask("room", ["a", "b"]), replicaForTask("room", ["b", "a"]));
 * ```
 *
 * @param replicas At least one.
 */
export function replicaForTask(task: string, replicas: readonly string[]): string {
  // Rendezvous hashing: the highest of one number for each replica.
  const ranked = replicas.map((replica) => ({
    replica,
    rank: createHash("sha256").update(JSON.stringify([replica, task])).digest("hex"),
  }));
  return ranked.reduce((best, other) => other.rank > best.rank ? other : best).replica;
}
