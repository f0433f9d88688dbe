import { runClosedLoop } from "./drive.ts";
import { cpuSecondsOf } from "./process_figures.ts";
import { type RedisProcess, startRedisProcess } from "./redis_process.ts";
import type { LoadContext } from "./scenarios.ts";
import { prepareTokenRequests } from "./token_requests.ts";

const JOIN_CONNECTIONS = 32;
const WARM_UP_REQUESTS = 2000;
const PHASE_TIMEOUT_MS = 300_000;
const LEAVE_TIMEOUT_MS = 120_000;
const SETTLE_MS = 2000;
const PROGRESS_MS = 10_000;

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

/**
 * Lets users join with delegated leaves, stay for about two restarts of each, and hang up all at
 * once.
 *
 * Memory is counted from a service that has handed out a few tokens already: connections and
 * compiled code are there by then, and what it takes beyond are the jobs and the traffic of their
 * joining.
 *
 * @param context What to start, and how many users.
 * @returns Memory, processor time, how late restarts came, whose leave was sent when not.
 */
export async function measureJobs({ args, standIns, key, start, folder }: LoadContext) {
  const job = args.job;
  await using stack = new AsyncDisposableStack();
  const env: Record<string, string> = {
    LIVEKIT_CS_API_URL_OVERRIDES: `${standIns.fullAccessServer}=${standIns.homeserverUrl}`,
  };
  let redis: RedisProcess | undefined;
  if (job.redis) {
    redis = stack.use(await startRedisProcess(folder));
    env.LIVEKIT_REDIS_URL = redis.url;
  }
  if (job.stateDir) env.MATRIXRTC_STATE_DIR = await Deno.makeTempDir({ dir: folder });
  const service = stack.use(await start(env));
  const { port } = service;
  const serverName = standIns.fullAccessServer;

  const idleRssMiB = await service.rssMiB();
  await runClosedLoop({
    port,
    requests: prepareTokenRequests({ serverName, rooms: 10, users: 100, path: job.path }),
    count: WARM_UP_REQUESTS,
    connections: JOIN_CONNECTIONS,
    timeoutMs: PHASE_TIMEOUT_MS,
  });
  await sleep(SETTLE_MS);

  const faults = { homeserverDelayMs: job.latencyMs, sfuDelayMs: 0, failing: job.failing };
  await standIns.setDelays(faults);
  stack.defer(() => standIns.setDelays({ homeserverDelayMs: 0, sfuDelayMs: 0, failing: 0 }));
  await standIns.makeUsers({
    users: job.jobs,
    roomSize: job.roomSize,
    delayMs: job.delaySeconds * 1000,
    path: job.path,
    serverName,
    port,
    key,
  });
  const look = async () => ({
    at: performance.now(),
    cpu: await service.cpuSeconds(),
    standInsCpu: await cpuSecondsOf(standIns.pid),
    rssMiB: await service.rssMiB(),
    ...await standIns.stats(),
  });
  type Look = Awaited<ReturnType<typeof look>>;
  const say = (text: string, { rssMiB, events }: Look) =>
    console.error(
      `jobs       ${text}: ${round(rssMiB, 1)} MiB, ${events!.restarts} restarts, ` +
        `latest at ${round(events!.latestRestartPercent, 1)} %, ${events!.lost} lost`,
    );

  const before = await look();
  const joining = await standIns.join({
    connections: JOIN_CONNECTIONS,
    timeoutMs: PHASE_TIMEOUT_MS,
  });
  const joined = await look();
  say(`all have joined after ${round(joining.seconds, 1)} s`, joined);

  const end = performance.now() + job.holdSeconds * 1000;
  const freezing = redis && job.freezeRedisSeconds > 0 && freeze(redis, job.freezeRedisSeconds);
  while (performance.now() < end) {
    await sleep(Math.min(PROGRESS_MS, end - performance.now()));
    say("in their calls", await look());
  }
  await freezing;
  const held = await look();

  const leaving = await standIns.leave({
    connections: job.leaveConnections,
    timeoutMs: LEAVE_TIMEOUT_MS,
  });
  const left = await look();
  const events = left.events!;
  say(`the last leave was sent after ${round(leaving.lastSendSeconds)} s`, left);

  const refused = Object.values(joining.refused).reduce((sum, count) => sum + count, 0);
  const jobs = job.jobs - refused;
  const restarts = held.events!.restarts - joined.events!.restarts;
  const perRestart = (cpuSeconds: number) => round(cpuSeconds * 1000 / restarts, 4);
  const kibPerJob = (rssMiB: number) => round((rssMiB - before.rssMiB) * 1024 / jobs);
  return {
    ...job,
    jobs,
    refused: joining.refused,
    memory: {
      idleRssMiB: round(idleRssMiB, 1),
      beforeRssMiB: round(before.rssMiB, 1),
      joinedRssMiB: round(joined.rssMiB, 1),
      heldRssMiB: round(held.rssMiB, 1),
      joinedKiBPerJob: kibPerJob(joined.rssMiB),
      heldKiBPerJob: kibPerJob(held.rssMiB),
    },
    join: {
      seconds: round(joining.seconds),
      cpuSeconds: round(joined.cpu - before.cpu),
      undeliveredWebhooks: joining.undelivered,
    },
    hold: {
      seconds: round((held.at - joined.at) / 1000),
      restarts,
      cpuMsPerRestart: perRestart(held.cpu - joined.cpu),
      standInsCpuMsPerRestart: perRestart(held.standInsCpu - joined.standInsCpu),
      sfuCalls: difference(held.sfuCalls, joined.sfuCalls),
      homeserverHandshakes: held.homeserverHandshakes - joined.homeserverHandshakes,
    },
    leave: {
      webhookSeconds: round(leaving.webhookSeconds, 3),
      lastSendSeconds: round(leaving.lastSendSeconds, 3),
      cpuSeconds: round(left.cpu - held.cpu),
      standInsCpuSeconds: round(left.standInsCpu - held.standInsCpu),
      undeliveredWebhooks: leaving.undelivered,
      rssMiB: round(left.rssMiB, 1),
    },
    latestRestartPercent: round(events.latestRestartPercent),
    p999RestartPercent: round(events.p999RestartPercent, 1),
    delayedEventRequests: left.delayedEventRequests - before.delayedEventRequests,
    restarts: events.restarts,
    sends: events.sends,
    lost: events.lost,
    twice: events.twice,
    missing: events.missing,
    sentWhilePresent: events.sentWhilePresent,
    restartsTooLate: events.restartsTooLate,
    unknown: events.unknown,
  };
}

async function freeze(redis: RedisProcess, seconds: number): Promise<void> {
  await sleep(SETTLE_MS);
  console.error(`jobs       Redis stands still for ${seconds} s`);
  redis.freeze();
  await sleep(seconds * 1000);
  redis.thaw();
}

function difference(after: Record<string, number>, before: Record<string, number>) {
  return Object.fromEntries(
    Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)]),
  );
}
