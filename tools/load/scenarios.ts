import type { LoadArguments } from "./arguments.ts";
import { type Drive, percentile, runClosedLoop, runOpenLoop } from "./drive.ts";
import type { ServiceProcess } from "./service_process.ts";
import type { StandIns } from "./stand_ins_process.ts";
import type { WebhookKey } from "./webhook.ts";
import { prepareTokenRequests } from "./token_requests.ts";

const USERS = 10_000;
const PHASE_TIMEOUT_MS = 300_000;
const MEMORY_TIMEOUT_MS = 900_000;
const MEMORY_CONNECTIONS = 32;
const STORM_WITHIN_MS = 2000;
const STORM_DELAYS = { homeserverDelayMs: 20, sfuDelayMs: 5 };
const NO_DELAYS = { homeserverDelayMs: 0, sfuDelayMs: 0 };
/** After the first answer a fresh process still tidies up. */
const SETTLE_MS = 1000;

type Access = "full" | "restricted";

/** What every measurement needs. */
export interface LoadContext {
  /** What was asked for. */
  args: LoadArguments;
  /** Homeservers and SFU, running. */
  standIns: StandIns;
  /** What service and SFU share. */
  key: WebhookKey;
  /** For files of the run; goes when it ends. */
  folder: string;
  /** Starts a fresh service between them, with more variables if need be. */
  start(env?: Record<string, string>): Promise<ServiceProcess>;
}

function say(text: string): void {
  console.error(text);
}

function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

function serverNameOf(access: Access, standIns: StandIns): string {
  return access === "full" ? standIns.fullAccessServer : standIns.restrictedServer;
}

/** What a drive and the time around it come to. */
function summarize(drive: Drive, cpuSeconds: number) {
  const count = drive.latenciesMs.length;
  return {
    requests: count,
    failures: drive.failures,
    requestsPerSecond: round(count / drive.seconds, 0),
    p50Ms: round(percentile(drive.latenciesMs, 50)),
    p95Ms: round(percentile(drive.latenciesMs, 95)),
    p99Ms: round(percentile(drive.latenciesMs, 99)),
    maxMs: round(percentile(drive.latenciesMs, 100)),
    cpuMicrosecondsPerRequest: round(cpuSeconds / count * 1e6, 1),
  };
}

/** One closed loop, warmed up by a tenth of its requests. */
async function measureClosedLoop(
  { args, standIns }: LoadContext,
  service: ServiceProcess,
  phase: { access: Access; connections: number; rooms: number; first: number },
) {
  const { access, connections, rooms, first } = phase;
  const count = connections === 1 ? Math.ceil(args.requests / 4) : args.requests;
  const warmUp = Math.max(connections, Math.ceil(count / 10));
  const serverName = serverNameOf(access, standIns);
  const options = {
    port: service.port,
    requests: prepareTokenRequests({ serverName, rooms, users: USERS }),
    connections,
    timeoutMs: PHASE_TIMEOUT_MS,
  };
  const begun = await standIns.stats();
  await runClosedLoop({ ...options, count: warmUp, first });
  const before = await standIns.stats();
  const cpuBefore = await service.cpuSeconds();
  const drive = await runClosedLoop({ ...options, count, first: first + warmUp });
  const cpu = await service.cpuSeconds() - cpuBefore;
  const after = await standIns.stats();
  const result = {
    access,
    connections,
    rooms: rooms === Infinity ? "fresh" : rooms,
    ...summarize(drive, cpu),
    createRoomCalls: after.createRoomCalls - before.createRoomCalls,
    userinfoRequests: after.userinfoRequests - before.userinfoRequests,
    homeserverHandshakes: after.homeserverHandshakes - begun.homeserverHandshakes,
    sfuHandshakes: after.sfuHandshakes - begun.sfuHandshakes,
    rssMiB: round(await service.rssMiB(), 1),
  };
  say(
    `${access.padEnd(10)} ${String(connections).padStart(3)} connections, rooms ${result.rooms}: ` +
      `${result.requestsPerSecond}/s, p99 ${result.p99Ms} ms, ` +
      `${result.cpuMicrosecondsPerRequest} µs CPU a request`,
  );
  return result;
}

/**
 * Starts the service a few times.
 *
 * @param context What to start.
 * @returns Medians of the time to the first `/healthz` and of the memory of an idle service.
 */
export async function measureStart({ args, start }: LoadContext) {
  const firstHealthz: number[] = [];
  const idle: number[] = [];
  for (let i = 0; i < args.starts; i++) {
    await using service = await start();
    firstHealthz.push(service.firstHealthzMs);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    idle.push(await service.rssMiB());
  }
  const result = {
    starts: args.starts,
    firstHealthzMs: round(percentile(new Float64Array(firstHealthz), 50), 0),
    idleRssMiB: round(percentile(new Float64Array(idle), 50), 1),
  };
  say(`start      first /healthz after ${result.firstHealthzMs} ms, idle ${result.idleRssMiB} MiB`);
  return result;
}

/**
 * Measures one service with few and many connections, for users with and without full access.
 *
 * @param context What to start and how many requests.
 * @returns A record for each loop.
 */
export async function measureClosedLoops(context: LoadContext) {
  const { rooms } = context.args;
  await using service = await context.start();
  const phases: { access: Access; connections: number; rooms: number }[] = [];
  for (const connections of [1, 32, 256]) phases.push({ access: "full", connections, rooms });
  // The service may remember a room for a moment; this one it never can.
  if (rooms !== Infinity) phases.push({ access: "full", connections: 32, rooms: Infinity });
  for (const connections of [1, 32, 256]) phases.push({ access: "restricted", connections, rooms });
  const results = [];
  // No loop meets a room that one before it has just used, warm-up and rooms in turn included.
  const stride = 2 * context.args.requests + 2000;
  let first = stride;
  for (const phase of phases) {
    results.push(await measureClosedLoop(context, service, { ...phase, first }));
    first += stride;
  }
  return results;
}

/**
 * Lets everybody join one call at once while the service has only just started.
 *
 * @param context What to start and how many users.
 * @returns Latencies from the moment a user came, and what homeserver and SFU were spared.
 */
export async function measureStorm({ args, standIns, start }: LoadContext) {
  await using service = await start();
  await standIns.setDelays(STORM_DELAYS);
  try {
    const before = await standIns.stats();
    const cpuBefore = await service.cpuSeconds();
    const serverName = standIns.fullAccessServer;
    const drive = await runOpenLoop({
      port: service.port,
      requests: prepareTokenRequests({ serverName, rooms: 1, users: args.stormUsers }),
      count: args.stormUsers,
      withinMs: STORM_WITHIN_MS,
      timeoutMs: PHASE_TIMEOUT_MS,
    });
    const cpu = await service.cpuSeconds() - cpuBefore;
    const after = await standIns.stats();
    const result = {
      users: args.stormUsers,
      withinMs: STORM_WITHIN_MS,
      ...STORM_DELAYS,
      ...summarize(drive, cpu),
      createRoomCalls: after.createRoomCalls - before.createRoomCalls,
      homeserverHandshakes: after.homeserverHandshakes - before.homeserverHandshakes,
      sfuHandshakes: after.sfuHandshakes - before.sfuHandshakes,
      connections: drive.connections,
      rssMiB: round(await service.rssMiB(), 1),
    };
    say(
      `storm      ${result.users} users in ${STORM_WITHIN_MS} ms: p99 ${result.p99Ms} ms, ` +
        `${result.createRoomCalls} CreateRoom, ${result.homeserverHandshakes} + ` +
        `${result.sfuHandshakes} handshakes`,
    );
    return result;
  } finally {
    await standIns.setDelays(NO_DELAYS);
  }
}

/**
 * Looks whether memory grows with the number of requests, from a tenth of them on.
 *
 * @param context What to start and how many requests.
 * @returns Memory early and at the end.
 */
export async function measureMemory({ args, standIns, start }: LoadContext) {
  await using service = await start();
  const total = args.memoryRequests;
  const early = Math.ceil(total / 10);
  const options = {
    port: service.port,
    requests: prepareTokenRequests({
      serverName: standIns.fullAccessServer,
      rooms: Infinity,
      users: USERS,
    }),
    connections: MEMORY_CONNECTIONS,
    timeoutMs: MEMORY_TIMEOUT_MS,
  };
  const idleRssMiB = round(await service.rssMiB(), 1);
  const warm = await runClosedLoop({ ...options, count: early });
  const earlyRssMiB = round(await service.rssMiB(), 1);
  const rest = await runClosedLoop({ ...options, count: total - early, first: early });
  const finalRssMiB = round(await service.rssMiB(), 1);
  const result = {
    requests: total,
    failures: { ...warm.failures, ...rest.failures },
    idleRssMiB,
    earlyRequests: early,
    earlyRssMiB,
    finalRssMiB,
    growthMiB: round(finalRssMiB - earlyRssMiB, 1),
  };
  say(`memory     ${earlyRssMiB} MiB after ${early} requests, ${finalRssMiB} after ${total}`);
  return result;
}
