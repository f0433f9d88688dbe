/** Finds jobs that nobody runs, and takes a share of them. */

import type { Logger } from "@logtape/logtape";
import type { Clock } from "../../clock.ts";
import type { StoredJob } from "../job.ts";
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
  /** The connection to use; throws while there is none. */
  readonly connection: () => RedisConnection;
  readonly onTaken: (jobs: readonly StoredJob[]) => void;
  /** Told why jobs could not be taken; they stay wanted. */
  readonly onFailure: (error: unknown) => void;
  readonly log: Logger;
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

/** Takes jobs in the background, one search at a time. */
export class Takeover {
  readonly #deps: TakeoverDeps;
  #wanted: TakeoverScope | undefined;
  /** `first` must come before all else; after `stop` there is nothing more. */
  #state: "new" | "idle" | "busy" | "stopped" = "new";

  constructor(deps: TakeoverDeps) {
    this.#deps = deps;
  }

  /** Takes what is there at the start. Searches that are wanted meanwhile follow. */
  async first(connection: RedisConnection): Promise<StoredJob[]> {
    const jobs = (await Array.fromAsync(takeOver(connection, "all", this.#deps))).flat();
    if (this.#state === "new") this.#state = "idle";
    this.resume();
    return jobs;
  }

  /** Remembers that there may be jobs to take. */
  note(scope: TakeoverScope): void {
    if (this.#wanted !== "all") this.#wanted = scope;
  }

  /** Searches now, or as soon as the present search has ended. */
  want(scope: TakeoverScope): void {
    this.note(scope);
    this.resume();
  }

  /** Searches if there is a reason, be it that it failed before. */
  async resume(): Promise<void> {
    if (this.#state !== "idle" || this.#wanted === undefined) return;
    this.#state = "busy";
    const scope = this.#wanted;
    this.#wanted = undefined;
    try {
      await this.#search(scope);
    } catch (error) {
      this.note(scope);
      if (this.#isBusy()) this.#state = "idle";
      this.#deps.onFailure(error);
      return;
    }
    if (this.#isBusy()) this.#state = "idle";
    this.resume();
  }

  /** No job is taken any more, but for the batch on its way. */
  stop(): void {
    this.#state = "stopped";
  }

  async #search(scope: TakeoverScope): Promise<void> {
    const { connection, onTaken, log } = this.#deps;
    let count = 0;
    for await (const jobs of takeOver(connection(), scope, this.#deps)) {
      if (!this.#isBusy()) return;
      count += jobs.length;
      onTaken(jobs);
    }
    if (count > 0) log.info("jobs that no replica ran any more are run here", { count });
  }

  #isBusy(): boolean {
    return this.#state === "busy";
  }
}

/**
 * Takes the jobs that nobody runs, batch by batch, each in one step of Redis.
 *
 * Survivors share the jobs by each going through them in an order of its own:
 * nobody has to agree with anybody, and if one of them dies, the others find
 * what it has left.
 *
 * @throws {StoreError} When Redis cannot be asked; nothing is lost by that.
 */
async function* takeOver(
  connection: RedisConnection,
  scope: TakeoverScope,
  { jobs, circle, clock, random }: Pick<TakeoverDeps, "jobs" | "circle" | "clock" | "random">,
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
        await circle.learn(connection);
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
