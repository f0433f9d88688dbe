// Random events, faults and restarts, against all that looks after delayed leaves. What must hold
// stands in support/model_world.ts.

import { getLogger } from "@logtape/logtape";
import { createMemoryStore } from "../../lib/delayed_leave/stores/memory_store.ts";
import { createSqliteStore } from "../../lib/delayed_leave/stores/sqlite_store.ts";
import { checkProperties } from "./support/model_properties.ts";
import { type ModelPlace, ModelWorld, type Step } from "./support/model_world.ts";

// For more of it, or for a failure again: PROPERTY_RUNS=2000 PROPERTY_SEED=1 PROPERTY_PATH=…
const RUNS = Number(Deno.env.get("PROPERTY_RUNS") ?? 80);
const SEED = Number(Deno.env.get("PROPERTY_SEED") ?? 4);
const PATH = Deno.env.get("PROPERTY_PATH");
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

const ENTER: Step = {
  kind: "enter",
  client: 0,
  delayMs: 900_000,
  first: "delegate",
  gapMs: 500,
  joinAs: 0,
  delegateAs: 0,
  isProxied: false,
};

/** What went wrong once; it is too rare to leave it to chance. */
const STORIES: Readonly<Record<string, readonly Step[]>> = {
  "a migrated connection that keeps its ID is still there": [
    ENTER,
    { kind: "wait", ms: 5_000 },
    { kind: "migrate", client: 0, keepsSid: true },
  ],
  "a return that is aborted leaves no ghost": [
    // The job finds the participant by a look, and hears nothing of them until they are gone.
    { ...ENTER, first: "join" },
    { kind: "wait", ms: 5_000 },
    { kind: "reconnect", client: 0 },
    { kind: "hang up", client: 0 },
  ],
  "who leaves while the homeserver fails has left soon after": [
    ENTER,
    { kind: "wait", ms: 5_000 },
    { kind: "homeserver", mode: "failing", ms: 20_000 },
    { kind: "hang up", client: 0 },
    { kind: "wait", ms: 60_000 },
  ],
  "who leaves while the service is down has left soon after": [
    ENTER,
    { kind: "wait", ms: 5_000 },
    { kind: "service crashes" },
    { kind: "hang up", client: 0 },
    { kind: "wait", ms: 60_000 },
  ],
  "an event through the homeserver is kept alive until somebody comes": [
    { ...ENTER, isProxied: true, delayMs: 20_000, gapMs: 400_000 },
    { kind: "wait", ms: 100_000 },
    { kind: "sfu", mode: "unreachable", ms: 100_000 },
    { kind: "wait", ms: 400_000 },
    { kind: "die", client: 0 },
  ],
  "an event through the homeserver is kept alive by the next process": [
    { ...ENTER, isProxied: true, delayMs: 20_000, gapMs: 300_000 },
    { kind: "wait", ms: 100_000 },
    { kind: "service crashes" },
    { kind: "wait", ms: 3_000 },
    { kind: "service starts" },
    { kind: "wait", ms: 400_000 },
    { kind: "hang up", client: 0 },
  ],
  "an event through the homeserver is sent for whom never came": [
    { ...ENTER, isProxied: true, delayMs: 20_000, gapMs: 2_000_000 },
    { kind: "wait", ms: 700_000 },
  ],
  "a crash of the SFU throws nobody out": [
    ENTER,
    { kind: "wait", ms: 60_000 },
    { kind: "sfu crashes", ms: 3_000 },
    { kind: "wait", ms: 120_000 },
  ],
};

for (const [name, steps] of Object.entries(STORIES)) {
  Deno.test(`delayed leaves: ${name}`, async () => {
    await using place = await createFolder();
    await new ModelWorld({ place, seed: 1 }).run(steps);
  });
}

Deno.test("whatever happens, delayed leaves in memory come right", async () => {
  await checkProperties(createMemory, { runs: RUNS, seed: SEED, path: PATH });
});

Deno.test("whatever happens, delayed leaves in SQLite come right", async () => {
  await checkProperties(createFolder, { runs: RUNS, seed: SEED, path: PATH });
});
