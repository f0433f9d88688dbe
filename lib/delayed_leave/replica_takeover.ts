/** Finds jobs that nobody runs, and takes a share of them. */

import type { Clock } from "../clock.ts";
import type { StoredJob } from "./job.ts";
import type { RedisConnection } from "./redis_connection.ts";
import type { RedisJobs } from "./redis_jobs.ts";
import { JOBS_KEY, OWNERS_KEY } from "./redis_scripts.ts";
import type { ReplicaCircle } from "./replica_circle.ts";

/** What taking over needs. */
export interface TakeoverDeps {
  readonly jobs: RedisJobs;
  readonly circle: ReplicaCircle;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** Where to look for jobs that nobody runs. */
export type TakeoverScope =
  /** Among those that a replica has left behind. */
  | "owned"
  /** Among all, also those that no replica has written. */
  | "all";

/** Jobs taken in one step, during which Redis does nothing else: 2 µs each. */
const [MIN_BATCH, MAX_BATCH] = [250, 2_000];
/** However many jobs there are, few steps are enough. */
const STEPS = 100;
/** A rest between steps. Others may start a little later, and shall find something left. */
const REST_MS = 25;
/** Entries that Redis looks through in one step. */
const SCAN_COUNT = 1_000;
/** How often in a row new replicas may come while one batch is taken. */
const MAX_ATTEMPTS = 10;

/**
 * Takes the jobs that nobody runs, batch by batch, each in one step of Redis.
 *
 * Survivors share the jobs by each going through them in an order of its own:
 * nobody has to agree with anybody, and if one of them dies, the others find
 * what it has left.
 *
 * @param scope Where to look.
 * @returns Jobs, a batch at a time.
 * @throws {StoreError} When Redis cannot be asked; nothing is lost by that.
 */
export async function* takeOver(
  connection: RedisConnection,
  scope: TakeoverScope,
  { jobs, circle, clock, random }: TakeoverDeps,
): AsyncGenerator<StoredJob[]> {
  const fields = new Set<string>();
  for await (const [field, owner] of scan(connection, OWNERS_KEY)) {
    if (!circle.others.has(owner) && !jobs.has(field)) fields.add(field);
  }
  if (scope === "all") {
    for await (const [field] of scan(connection, JOBS_KEY)) {
      if (!jobs.has(field)) fields.add(field);
    }
  }
  const shuffled = shuffle([...fields], random);
  const size = Math.min(Math.max(Math.ceil(shuffled.length / STEPS), MIN_BATCH), MAX_BATCH);
  for (let start = 0; start < shuffled.length; start += size) {
    const batch = shuffled.slice(start, start + size);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const taken = await jobs.claim(connection, batch, circle.known);
      if (taken === undefined) {
        await circle.renew(connection);
        continue;
      }
      if (taken.length > 0) yield taken;
      if (taken.length > 0 && circle.others.size > 0) {
        await new Promise<void>((resolve) => clock.after(REST_MS, resolve));
      }
      break;
    }
  }
  await circle.buryDead(connection);
}

async function* scan(
  connection: RedisConnection,
  key: string,
): AsyncGenerator<[field: string, value: string]> {
  let cursor = "0";
  do {
    const [next, entries] = await connection.call(
      "HSCAN",
      key,
      cursor,
      "COUNT",
      SCAN_COUNT,
    ) as [string, string[]];
    for (let i = 0; i + 1 < entries.length; i += 2) yield [entries[i]!, entries[i + 1]!];
    cursor = next;
  } while (cursor !== "0");
}

function shuffle<T>(items: T[], random: () => number): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [items[i], items[other]] = [items[other]!, items[i]!];
  }
  return items;
}
