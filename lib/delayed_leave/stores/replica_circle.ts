/** Which replicas there are. */

import type { RedisConnection } from "./redis_connection.ts";
import { runScript } from "./redis_run_script.ts";
import * as scripts from "./redis_scripts.ts";

/** What came of a sign of life. */
export interface Roll {
  /** Whether the one before had not been forgotten yet. */
  readonly wasAlive: boolean;
  /** Whether others have died or left since the last one, or had before. */
  readonly hasGaps: boolean;
}

/** New replicas may come while one asks for those there are; not more often than this. */
const MAX_ROUNDS = 5;

/** The replicas, as this one has last seen them. */
export class ReplicaCircle {
  readonly #id: string;
  readonly #leaseMs: number;
  #others = new Set<string>();
  #dead = new Set<string>();

  constructor(id: string, leaseMs: number) {
    this.#id = id;
    this.#leaseMs = leaseMs;
  }

  /** The others that live. */
  get others(): ReadonlySet<string> {
    return this.#others;
  }

  /** Those that have died, and whose jobs have not all been taken yet. */
  get dead(): ReadonlySet<string> {
    return this.#dead;
  }

  /** All that are known, the dead too. */
  get known(): readonly string[] {
    return [this.#id, ...this.#others, ...this.#dead];
  }

  /** Another has just said that it has come; the next sign of life tells whether it is true. */
  greet(id: string): void {
    this.#others.add(id);
  }

  /** Gives a sign of life, and sees who else does. */
  async renew(connection: RedisConnection): Promise<Roll> {
    const before = this.#others;
    let asked = [...before, ...this.#dead];
    let wasAlive: boolean | undefined;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const keys = [this.#id, ...asked].map(scripts.replicaKey);
      const [kept, live, all] = await runScript(
        connection,
        scripts.RENEW,
        [scripts.REPLICAS_KEY, ...keys],
        [this.#id, this.#leaseMs, ...asked],
      ) as [number, string[], string[]];
      // Later rounds only find what this one has set.
      wasAlive ??= kept === 1;
      const others = all.filter((id) => id !== this.#id);
      const isComplete = others.every((id) => asked.includes(id));
      asked = others;
      if (!isComplete) continue;
      this.#others = new Set(live);
      this.#dead = new Set(others.filter((id) => !this.#others.has(id)));
      break;
    }
    const hasLeft = [...before].some((id) => !this.#others.has(id));
    return { wasAlive: wasAlive === true, hasGaps: this.#dead.size > 0 || hasLeft };
  }

  /** Takes others for dead, before their leases end. */
  async declareDead(connection: RedisConnection, ids: readonly string[]): Promise<void> {
    await connection.call("DEL", ...ids.map(scripts.replicaKey));
    await this.renew(connection);
  }

  /** Learns of replicas that have come since, without a sign of life. */
  async learn(connection: RedisConnection): Promise<void> {
    const all = await connection.call("SMEMBERS", scripts.REPLICAS_KEY) as string[];
    for (const id of all) if (!this.known.includes(id)) this.#others.add(id);
  }

  /** Strikes off the dead, whose jobs have all been taken. */
  async buryDead(connection: RedisConnection): Promise<void> {
    for (const id of this.#dead) {
      const keys = [scripts.REPLICAS_KEY, scripts.replicaKey(id)];
      await runScript(connection, scripts.FORGET, keys, [id]);
      this.#dead.delete(id);
    }
  }

  /** Leaves; the others take the jobs at once. */
  async leave(connection: RedisConnection, channel: string): Promise<void> {
    const message = JSON.stringify({ kind: "gone", from: this.#id });
    const keys = [scripts.REPLICAS_KEY, scripts.replicaKey(this.#id)];
    await runScript(connection, scripts.LEAVE, keys, [this.#id, channel, message]);
  }
}
