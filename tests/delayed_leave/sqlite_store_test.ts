import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { jobKey } from "../../lib/delayed_leave/job.ts";
import { createSqliteStore } from "../../lib/delayed_leave/sqlite_store.ts";
import { captureLog } from "../support/captured_log.ts";
import { createManualClock } from "../support/manual_clock.ts";
import { DEAF, type Entry, type StorePlace, testStore } from "./support/store_suite.ts";

/** A state folder of its own for each test. */
async function createPlace(options: { maxPages?: number } = {}) {
  const parent = await Deno.makeTempDir();
  const folder = join(parent, "state");
  const clock = createManualClock();
  const { log, logText } = await captureLog({ level: "info", format: "text", clock });
  const path = join(folder, "jobs.sqlite3");
  const open = () => createSqliteStore({ folder, clock, log, ...options });
  return {
    folder,
    path,
    clock,
    open,
    logText,
    async insert(entries: readonly Entry[]) {
      const store = open();
      await store.start(DEAF);
      await store.close();
      using db = new DatabaseSync(path);
      const insert = db.prepare("REPLACE INTO jobs (key, record) VALUES (?, ?)");
      for (const { room, identity, record } of entries) insert.run(jobKey(room, identity), record);
    },
    [Symbol.asyncDispose]: () => Deno.remove(parent, { recursive: true }),
  } satisfies StorePlace & Record<string, unknown>;
}

testStore("createSqliteStore()", createPlace);
