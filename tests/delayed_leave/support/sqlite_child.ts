// A process with a SQLite store of its own: `sqlite_child.ts FOLDER hold|die|drop-permissions`.

import { assertEquals, assertRejects } from "@std/assert";
import { createSqliteStore } from "../../../lib/delayed_leave/stores/sqlite_store.ts";
import { createSystemClock } from "../../../lib/system_clock.ts";
import type { LiveKitIdentity } from "../../../lib/signing/names.ts";
import { captureLog } from "../../support/captured_log.ts";
import { createJob, DEAF } from "./store_suite.ts";

const [folder, mode] = Deno.args;
if (folder === undefined || mode === undefined) throw new TypeError("usage: FOLDER MODE");
const clock = createSystemClock();
const { log } = await captureLog({ level: "info", format: "text", clock });
const store = createSqliteStore({ folder, clock, log });
await store.start(DEAF);

const names = Array.from({ length: 3_000 }, (_, n) => `@user${n}:example.org:D` as LiveKitIdentity);
const all = names.map((identity) => ({
  job: createJob({ identity }),
  restartedAt: clock.now(),
  wasConnected: false,
}));

if (mode === "drop-permissions") {
  await Deno.permissions.revoke({ name: "read" });
  await Deno.permissions.revoke({ name: "write" });
  await assertRejects(() => Deno.readTextFile(`${folder}/jobs.sqlite3`), Deno.errors.NotCapable);
  await assertRejects(() => Deno.writeTextFile(`${folder}/other`, ""), Deno.errors.NotCapable);
  // More than the write-ahead log takes before it is carried over.
  for (let n = 0; n < 20; n++) {
    const changes = all.map((stored) => ({
      kind: n === 0 ? "put" as const : "update" as const,
      stored,
    }));
    assertEquals(new Set(await store.write(changes)), new Set(["kept" as const]));
  }
  await store.write(all.slice(1).map(({ job }) => ({ kind: "remove", job })));
  await store.close();
} else {
  await store.write(all.map((stored) => ({ kind: "put", stored })));
  if (mode === "die") Deno.kill(Deno.pid, "SIGKILL");
  console.log("ready");
  // Until whoever has started this closes standard input.
  await new Response(Deno.stdin.readable).arrayBuffer();
  await store.close();
}
