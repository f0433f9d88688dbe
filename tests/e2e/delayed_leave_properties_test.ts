// The same as tests/delayed_leave/properties_test.ts, with the jobs in a real Redis and a real Valkey.

import { getLogger } from "@logtape/logtape";
import type { Clock } from "../../lib/clock.ts";
import type { StoredJob } from "../../lib/delayed_leave/job.ts";
import { isExpired } from "../../lib/delayed_leave/stores/job_record.ts";
import { createRedisStore } from "../../lib/delayed_leave/stores/redis_store.ts";
import type { JobChange, JobStore } from "../../lib/delayed_leave/store.ts";
import { lookupAddresses } from "../../lib/net/dial.ts";
import { installTlsTrust } from "../../lib/net/tls_trust.ts";
import { Secret } from "../../lib/secret.ts";
import { createSystemClock } from "../../lib/system_clock.ts";
import { checkProperties } from "../delayed_leave/support/model_properties.ts";
import type { ModelPlace } from "../delayed_leave/support/model_world.ts";
import { type RedisServer, startRedis } from "./support/redis.ts";

const RUNS = Number(Deno.env.get("PROPERTY_RUNS") ?? 25);
const SEED = Number(Deno.env.get("PROPERTY_SEED") ?? 4);
const PATH = Deno.env.get("PROPERTY_PATH");
const log = getLogger(["tests", "properties"]);
const trust = installTlsTrust([], []);

/** Real time, which leases go by, and the world's time do not go together: records are dated anew. */
const NEVER_EXPIRES_MS = 3_600_000;

async function createDatabase(server: RedisServer): Promise<ModelPlace> {
  await server.command("FLUSHALL");
  /** By delay ID, the world's time in what is kept. */
  const restartedAt = new Map<string, number>();

  function open(clock: Clock): JobStore {
    const store = createRedisStore({
      url: new Secret(server.url),
      lookup: lookupAddresses,
      trust,
      insecureSkipVerifyTls: false,
      clock: createSystemClock(),
      random: Math.random,
      log,
    });
    const fromStore = (stored: StoredJob): StoredJob => ({
      ...stored,
      restartedAt: restartedAt.get(stored.job.delayId.reveal())!,
    });
    const toStore = (change: JobChange): JobChange => {
      if (change.kind === "remove") return change;
      const stored = { ...change.stored, restartedAt: Date.now() + NEVER_EXPIRES_MS };
      return { kind: change.kind, stored };
    };
    return {
      async start(listener) {
        const onTaken = (jobs: readonly StoredJob[]) => listener.onTaken(jobs.map(fromStore));
        const found = (await store.start({ ...listener, onTaken })).map(fromStore);
        const expired = found.filter((stored) => isExpired(stored, clock.now()));
        await store.write(expired.map(({ job }) => ({ kind: "remove", job })));
        return found.filter((stored) => !expired.includes(stored));
      },
      async write(changes) {
        const results = await store.write(changes.map(toStore));
        for (const [n, change] of changes.entries()) {
          if (change.kind === "remove" || results[n] === "lost") continue;
          restartedAt.set(change.stored.job.delayId.reveal(), change.stored.restartedAt);
        }
        return results;
      },
      pass: (event) => store.pass(event),
      mayAct: (act) => store.mayAct(act),
      fallsToThis: () => true,
      close: () => store.close(),
    };
  }

  return { isLasting: true, open, [Symbol.asyncDispose]: () => Promise.resolve() };
}

for (const server of ["redis", "valkey"] as const) {
  Deno.test(`whatever happens, delayed leaves in ${server} come right`, async () => {
    await using running = await startRedis({ server });
    await checkProperties(() => createDatabase(running), { runs: RUNS, seed: SEED, path: PATH });
  });
}
