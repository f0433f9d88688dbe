import { assert, assertEquals } from "@std/assert";
import { replicaForTask } from "../../../lib/delayed_leave/stores/share_of_tasks.ts";

const TASKS = Array.from({ length: 2_000 }, (_, n) => `room ${n}`);
const REPLICAS = ["a", "b", "c", "d"];

/** Which replica has which task. */
function shares(replicas: readonly string[]): Map<string, string> {
  return new Map(TASKS.map((task) => [task, replicaForTask(task, replicas)]));
}

function countOf(replica: string, assigned: ReadonlyMap<string, string>): number {
  return [...assigned.values()].filter((other) => other === replica).length;
}

Deno.test("replicaForTask() gives everything to the only replica", () => {
  assertEquals(countOf("a", shares(["a"])), TASKS.length);
});

Deno.test("replicaForTask() gives each replica about as much", () => {
  const assigned = shares(REPLICAS);
  for (const replica of REPLICAS) {
    const count = countOf(replica, assigned);
    // Of 2 000 in four, 500 with a deviation of 20.
    assert(Math.abs(count - 500) < 100, `${replica}: ${count}`);
  }
});

Deno.test("replicaForTask() does not care in which order the replicas are known", () => {
  assertEquals(shares(REPLICAS), shares([...REPLICAS].reverse()));
});

Deno.test("replicaForTask() moves tasks only to one that comes, and only from one that goes", () => {
  const before = shares(REPLICAS);
  const after = shares([...REPLICAS, "e"]);
  for (const [task, replica] of after) {
    if (replica !== "e") assertEquals(replica, before.get(task), task);
  }
  const count = countOf("e", after);
  assert(Math.abs(count - 400) < 100, `${count}`);
});

Deno.test("replicaForTask() tells tasks and replicas apart whatever their names are", () => {
  // What would be one text if they were only put together.
  const tasks = ['a","', 'b","c', "", '"', "ä", "🦊"];
  for (const task of tasks) assert(["x", 'x","a'].includes(replicaForTask(task, ["x", 'x","a'])));
  assert(new Set(TASKS.map((task) => replicaForTask(task, ["", '"']))).size === 2);
});
