// Random events, faults and restarts, against all that looks after delayed leaves. What must hold
// stands in support/model_world.ts.

import { getLogger } from "@logtape/logtape";
import { createMemoryStore } from "../../lib/delayed_leave/memory_store.ts";
import { createSqliteStore } from "../../lib/delayed_leave/sqlite_store.ts";
import { checkProperties } from "./support/model_properties.ts";
import type { ModelPlace } from "./support/model_world.ts";

/** `PROPERTY_RUNS=2000 PROPERTY_SEED=1 deno task test tests/delayed_leave/properties_test.ts` */
const RUNS = Number(Deno.env.get("PROPERTY_RUNS") ?? 40);
const SEED = Number(Deno.env.get("PROPERTY_SEED") ?? 4);
const log = getLogger(["tests", "properties"]);

function createMemory(): Promise<ModelPlace> {
  return Promise.resolve({
    isLasting: false,
    open: createMemoryStore,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

async function createFolder(): Promise<ModelPlace> {
  // In memory where there is such a folder: that a disk keeps what was written is not the question.
  const folder = await Deno.makeTempDir({ dir: "/dev/shm" }).catch(() => Deno.makeTempDir());
  return {
    isLasting: true,
    open: (clock) => createSqliteStore({ folder, clock, log }),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

Deno.test("whatever happens, delayed leaves in memory come right", async () => {
  await checkProperties(createMemory, { runs: RUNS, seed: SEED });
});

Deno.test("whatever happens, delayed leaves in SQLite come right", async () => {
  await checkProperties(createFolder, { runs: RUNS, seed: SEED });
});
