import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Job, jobKey } from "../../../lib/delayed_leave/job.ts";
import { createSqliteStore } from "../../../lib/delayed_leave/stores/sqlite_store.ts";
import { type JobChange, StoreError } from "../../../lib/delayed_leave/store.ts";
import { describeError } from "../../../lib/observability/logger.ts";
import { Secret } from "../../../lib/secret.ts";
import type { LiveKitIdentity } from "../../../lib/signing/names.ts";
import { captureLog } from "../../support/captured_log.ts";
import { createManualClock } from "../../support/manual_clock.ts";
import { ROOT } from "../../support/service.ts";
import { createJob, DEAF, type Entry, type StorePlace, testStore } from "../support/store_suite.ts";

/** A state folder of its own for each test. */
async function createPlace(options: { maxPages?: number; folder?: string } = {}) {
  const parent = await Deno.makeTempDir();
  const folder = options.folder ?? join(parent, "state");
  const clock = createManualClock();
  const { log, logText } = await captureLog({ level: "info", format: "text", clock });
  const path = join(folder, "jobs.sqlite3");
  const { maxPages } = options;
  const open = () => createSqliteStore({ folder, clock, log, ...(maxPages && { maxPages }) });
  /** Makes the file, with these jobs in it. */
  const fill = async (jobs: readonly Job[] = []) => {
    const store = open();
    await store.start(DEAF);
    await store.write(jobs.map((job) => put(job, clock.now())));
    await store.close();
  };
  return {
    parent,
    folder,
    path,
    clock,
    open,
    fill,
    logText,
    /** What happens when a store is started here that cannot be. */
    refusal: async () => describeError(await assertRejects(() => open().start(DEAF), StoreError)),
    async insert(entries: readonly Entry[]) {
      await fill();
      using db = new DatabaseSync(path);
      const insert = db.prepare("REPLACE INTO jobs (key, record) VALUES (?, ?)");
      for (const { room, identity, record } of entries) insert.run(jobKey(room, identity), record);
    },
    [Symbol.asyncDispose]: () => Deno.remove(parent, { recursive: true }),
  } satisfies StorePlace & Record<string, unknown>;
}

function put(job: Job, restartedAt: number): JobChange {
  return { kind: "put", stored: { job, restartedAt, wasConnected: false } };
}

function jobOf(identity: string): Job {
  return createJob({ identity: identity as LiveKitIdentity });
}

function jobsOf(count: number): Job[] {
  return Array.from({ length: count }, (_, n) => jobOf(`@user${n}:example.org:D`));
}

function countRows(path: string, table: string): unknown {
  using db = new DatabaseSync(path);
  return db.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.count;
}

testStore("createSqliteStore()", createPlace);

Deno.test("createSqliteStore() makes folder and files that nobody else may read", async () => {
  await using place = await createPlace();
  const modeOf = async (path: string) => ((await Deno.stat(path)).mode! & 0o777).toString(8);
  const store = place.open();
  await store.start(DEAF);
  await store.write([put(createJob(), place.clock.now())]);
  assertEquals(
    [await modeOf(place.folder), await modeOf(place.path), await modeOf(`${place.path}-wal`)],
    ["700", "600", "600"],
  );
  await store.close();
});

Deno.test("createSqliteStore() takes a folder as the operator has made it", async () => {
  await using place = await createPlace();
  await Deno.mkdir(place.folder, { mode: 0o750 });
  await place.fill();
  assertEquals((await Deno.stat(place.folder)).mode! & 0o777, 0o750);
});

Deno.test("createSqliteStore() writes to the disk what it says is kept, and survives SIGKILL", async () => {
  await using place = await createPlace();
  const { signal } = await runChild(place.folder, "die");
  assertEquals(signal, "SIGKILL");
  place.clock.setNow(Date.now());
  const store = place.open();
  assertEquals((await store.start(DEAF)).length, 3_000);
  await store.close();
});

Deno.test("createSqliteStore() needs no permission to read or write once it is open", async () => {
  await using place = await createPlace();
  const { code, output } = await runChild(place.folder, "drop-permissions");
  assertEquals([code, output], [0, ""]);
  place.clock.setNow(Date.now());
  const store = place.open();
  assertEquals((await store.start(DEAF)).map(({ job }) => job.identity), [
    "@user0:example.org:D" as LiveKitIdentity,
  ]);
  await store.close();
});

Deno.test("createSqliteStore() keeps a second process out, and lets it in afterwards", async () => {
  await using place = await createPlace();
  const child = new Deno.Command(Deno.execPath(), {
    ...childOptions(place.folder, "hold"),
    stdin: "piped",
  }).spawn();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  assertEquals((await output.read()).value, "ready\n");
  const refusal = await place.refusal();
  assertMatch(refusal, /^another matrixrtc-auth is using .*\/jobs\.sqlite3; stop it, or give each/);
  await child.stdin.close();
  assertEquals((await child.status).code, 0);
  await output.cancel();
  await child.stderr.cancel();
  place.clock.setNow(Date.now());
  const store = place.open();
  assertEquals((await store.start(DEAF)).length, 3_000);
  await store.close();
});

Deno.test("createSqliteStore() keeps a second store of the same process out", async () => {
  await using place = await createPlace();
  const first = place.open();
  await first.start(DEAF);
  assertMatch(await place.refusal(), /^another matrixrtc-auth is using/);
  assertEquals(await first.write([put(createJob(), place.clock.now())]), ["kept"]);
  await first.close();
});

Deno.test("createSqliteStore() leaves the file of a newer version as it is", async () => {
  await using place = await createPlace();
  await place.fill([createJob()]);
  {
    using db = new DatabaseSync(place.path);
    db.exec("PRAGMA user_version = 2; DROP TABLE jobs; CREATE TABLE jobs2 (id INTEGER)");
  }
  const before = await Deno.readFile(place.path);
  assertMatch(
    await place.refusal(),
    /jobs\.sqlite3 was written by a newer version of matrixrtc-auth \(format 2, this one knows 1\); run/,
  );
  assert(Buffer.from(before).equals(await Deno.readFile(place.path)));
});

Deno.test("createSqliteStore() leaves the file of another program as it is", async () => {
  for (const sql of ["CREATE TABLE t (id)", "PRAGMA application_id = 7; PRAGMA user_version = 1"]) {
    await using place = await createPlace();
    await Deno.mkdir(place.folder);
    {
      using db = new DatabaseSync(place.path);
      db.exec(sql);
    }
    const before = await Deno.readFile(place.path);
    assertMatch(await place.refusal(), /jobs\.sqlite3 is another program's; move it away, or name/);
    assert(Buffer.from(before).equals(await Deno.readFile(place.path)));
  }
});

const DAMAGES: Record<string, (path: string) => Promise<void>> = {
  "that is no database": (path) => Deno.writeTextFile(path, "not a database ".repeat(1_000)),
  "that is cut off": async (path) => Deno.truncate(path, (await Deno.stat(path)).size / 2),
  "with pages of zeros": (path) => overwrite(path, 0.3, 0.6, 0),
  "with pages of noise": (path) => overwrite(path, 0.3, 0.6, 0x5a),
  "without its tables": (path) => {
    using db = new DatabaseSync(path);
    db.exec("DROP TABLE jobs");
    return Promise.resolve();
  },
};
for (const [name, damage] of Object.entries(DAMAGES)) {
  Deno.test(`createSqliteStore() moves a file aside ${name}, and starts empty`, async () => {
    await using place = await createPlace();
    await place.fill(jobsOf(300));
    await damage(place.path);
    const damaged = await Deno.readFile(place.path);
    const store = place.open();
    assertEquals(await store.start(DEAF), []);
    assertEquals(await store.write([put(createJob(), place.clock.now())]), ["kept"]);
    await store.close();
    const aside = `${place.path}.corrupt-2026-01-01T00-00-00.000Z`;
    assert(Buffer.from(damaged).equals(await Deno.readFile(aside)));
    const [line, ...more] = (await place.logText()).trimEnd().split("\n");
    assertMatch(line!, /ERROR +\S+ is damaged; .*it is kept as \S+\.corrupt-2026/);
    assertEquals(more, []);
    // Once is enough.
    const again = place.open();
    assertEquals((await again.start(DEAF)).length, 1);
    await again.close();
  });
}

Deno.test("createSqliteStore() keeps what it cannot understand in a table, and says how many", async () => {
  await using place = await createPlace();
  await place.fill([createJob()]);
  // The last one would be a job, but stands under another's name.
  await place.insert([
    { room: "room", identity: "a", record: "{" },
    { room: "room", identity: "b", record: "" },
  ]);
  {
    using db = new DatabaseSync(place.path);
    db.exec("INSERT INTO jobs (key, record) SELECT 'c', record FROM jobs WHERE key LIKE '%alice%'");
  }
  const store = place.open();
  assertEquals((await store.start(DEAF)).length, 1);
  await store.close();
  using db = new DatabaseSync(place.path);
  assertEquals(db.prepare("SELECT key, at FROM set_aside").all().map((row) => ({ ...row })), [
    { key: '["room","a"]', at: "2026-01-01T00:00:00.000Z" },
    { key: '["room","b"]', at: "2026-01-01T00:00:00.000Z" },
    { key: "c", at: "2026-01-01T00:00:00.000Z" },
  ]);
  const lines = (await place.logText()).trimEnd().split("\n");
  assertEquals(lines.length, 1);
  assertMatch(lines[0]!, /ERROR +3 jobs in .* cannot be understood; they are kept in its table/);
});

Deno.test("createSqliteStore() says what is wrong with a folder", async () => {
  await using place = await createPlace();
  const { parent } = place;
  await Deno.writeTextFile(join(parent, "file"), "");
  await Deno.mkdir(join(parent, "taken", "jobs.sqlite3"), { recursive: true });
  // The kernel's own files may not even root make more of.
  const folders = ["missing/state", "file", "file/state", "taken"].map((name) =>
    join(parent, name)
  );
  for (const folder of [...folders, "/proc/state"]) {
    await using place = await createPlace({ folder });
    const refusal = await place.refusal();
    assertMatch(refusal, /\/jobs\.sqlite3 cannot be (?:made|written); let the service's user/);
    assertMatch(refusal, /MATRIXRTC_STATE_DIR: ./);
  }
});

Deno.test("createSqliteStore() writes again when there is room again", async () => {
  await using place = await createPlace({ maxPages: 20 });
  const now = place.clock.now();
  const store = place.open();
  await store.start(DEAF);
  const [first, ...others] = jobsOf(500) as [Job, ...Job[]];
  assertEquals(await store.write([put(first, now)]), ["kept"]);
  const error = await assertRejects(
    () => store.write([{ kind: "remove", job: first }, ...others.map((job) => put(job, now))]),
    StoreError,
  );
  assertMatch(describeError(error), /^there is no room left for .*\/jobs\.sqlite3; make some/);
  // All or nothing: the first one is still there, and only that one.
  assertEquals(
    await store.write([
      { kind: "update", stored: { job: first, restartedAt: now, wasConnected: true } },
      { kind: "update", stored: { job: others[0]!, restartedAt: now, wasConnected: true } },
      put(others[1]!, now),
    ]),
    ["kept", "lost", "kept"],
  );
  await store.close();
  assertEquals(countRows(place.path, "jobs"), 2);
});

Deno.test("createSqliteStore() takes up its jobs although the disk is full", async () => {
  await using place = await createPlace();
  await place.fill(jobsOf(300));
  await place.insert([{ room: "room", identity: "broken", record: "x".repeat(20_000) }]);
  const { log, logText } = await captureLog({
    level: "info",
    format: "text",
    clock: place.clock,
  });
  const pages = Math.ceil((await Deno.stat(place.path)).size / 4096);
  const store = createSqliteStore({ ...place, log, maxPages: pages });
  assertEquals((await store.start(DEAF)).length, 300);
  await store.close();
  assertMatch(await logText(), /WARNING old jobs could not be removed: there is no room left for/);
});

Deno.test("createSqliteStore() keeps news of a job whose replacement has gone", async () => {
  await using place = await createPlace();
  const now = place.clock.now();
  const [older, newer] = [createJob(), createJob({ delayId: new Secret("newer") })];
  const news: JobChange = {
    kind: "update",
    stored: { job: older, restartedAt: now, wasConnected: true },
  };
  const store = place.open();
  await store.start(DEAF);
  await store.write([put(older, now), put(newer, now)]);
  assertEquals(await store.write([{ kind: "remove", job: newer }, news, news]), [
    "kept",
    "kept",
    "kept",
  ]);
  // But what has been removed itself stays away.
  assertEquals(await store.write([{ kind: "remove", job: older }, news]), ["kept", "lost"]);
  assertEquals(await store.write([news]), ["lost"]);
  await store.close();
  assertEquals(countRows(place.path, "jobs"), 0);
});

Deno.test("createSqliteStore() refuses to write before the start and after the end", async () => {
  await using place = await createPlace();
  const store = place.open();
  await store.close();
  await assertRejects(() => store.write([]), StoreError, "is not open");
  await store.start(DEAF);
  await store.pass({ kind: "left", room: "room", identity: "i", reason: "CLIENT_INITIATED" });
  await store.close();
  await store.close();
  await assertRejects(() => store.write([]), StoreError, "is not open");
});

/**
 * Whether this process may mount, in a container often not even as root. Elsewhere the limit of
 * pages above has to do for a full disk.
 */
const canMount = Deno.uid() === 0 && await succeeds("unshare", "--mount", "true");
if (canMount) {
  Deno.test("createSqliteStore() on a disk that is full, has room again and becomes read-only", async () => {
    await using place = await createPlace();
    await Deno.mkdir(place.folder);
    const mount = (options: string) =>
      succeeds("mount", "-t", "tmpfs", "-o", options, "tmpfs", place.folder);
    assert(await mount("size=1m"));
    try {
      const now = place.clock.now();
      const store = place.open();
      await store.start(DEAF);
      const [first, second] = jobsOf(2) as [Job, Job];
      await store.write([put(first, now)]);
      const filler = join(place.folder, "filler");
      await assertRejects(() => Deno.writeFile(filler, new Uint8Array(2 ** 20)), Error);
      let error: unknown;
      // The log beside the file may still have room for a few.
      for (let n = 0; n < 1_000 && error === undefined; n++) {
        await store.write([put(jobOf(`more ${n}`), now)]).catch((reason) => error = reason);
      }
      assert(error instanceof StoreError);
      assertMatch(error.message, /^there is no room left for/);
      await store.close();
      const full = place.open();
      assertEquals((await full.start(DEAF))[0]?.job.identity, first.identity);
      await assertRejects(() => full.write([put(second, now)]), StoreError, "no room left");
      await Deno.remove(filler);
      assertEquals(await full.write([put(second, now)]), ["kept"]);
      await full.close();
      const again = place.open();
      const identities = (await again.start(DEAF)).map(({ job }) => job.identity);
      assert(identities.includes(first.identity) && identities.includes(second.identity));
      await again.close();
      assert(await mount("remount,ro"));
      assertMatch(await place.refusal(), /jobs\.sqlite3 cannot be written; let the service's user/);
    } finally {
      // Lazily: a test that fails leaves the file open.
      await succeeds("umount", "--lazy", place.folder);
    }
  });
}

async function succeeds(program: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args }).output()).success;
  } catch {
    return false;
  }
}

function childOptions(folder: string, mode: string): Deno.CommandOptions {
  // tools/deno.ts has found out whether JSR answers, and has written the map where it does not.
  const standIns = import.meta.resolve("@std/assert").startsWith("file:");
  const map = standIns ? ["--import-map=tools/std/import_map.json"] : [];
  const script = "tests/delayed_leave/support/sqlite_child.ts";
  return {
    args: ["run", "-A", "--no-check", ...map, script, folder, mode],
    cwd: ROOT,
    stdout: "piped",
    stderr: "piped",
  };
}

async function runChild(folder: string, mode: string) {
  const command = new Deno.Command(Deno.execPath(), childOptions(folder, mode));
  const { code, signal, stdout, stderr } = await command.output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return { code, signal, output };
}

/** Overwrites a part of a file, its ends as shares of its length. */
async function overwrite(path: string, from: number, to: number, byte: number): Promise<void> {
  const bytes = await Deno.readFile(path);
  bytes.fill(byte, Math.floor(bytes.length * from), Math.floor(bytes.length * to));
  await Deno.writeFile(path, bytes);
}
