import type { TokenPath } from "./token_requests.ts";

/** What the run with delegated leaves is to do. */
export interface JobArguments {
  /** Users, each with one delayed leave event that the service takes over. */
  jobs: number;
  /** Delay of each event. */
  delaySeconds: number;
  /** Users in a room. */
  roomSize: number;
  /** From the last one's joining to the moment at which all leave. */
  holdSeconds: number;
  /** Share of the homeserver's answers that are 503. */
  failing: number;
  /** How long the homeserver takes for each answer. */
  latencyMs: number;
  /** Where tokens are asked for. */
  path: TokenPath;
  /** Connections that bring the webhooks when all leave. */
  leaveConnections: number;
  /** Whether the service gets a Redis server. */
  redis: boolean;
  /** For how long that server stands still while users are in their calls. */
  freezeRedisSeconds: number;
  /** Whether the service gets a state folder. */
  stateDir: boolean;
}

/** Options of the command line, as `parseArgs` takes them. */
export const JOB_OPTIONS = {
  jobs: { type: "string" },
  "delay-seconds": { type: "string" },
  "hold-seconds": { type: "string" },
  "room-size": { type: "string" },
  failing: { type: "string" },
  "latency-ms": { type: "string" },
  "leave-connections": { type: "string" },
  legacy: { type: "boolean", default: false },
  redis: { type: "boolean", default: false },
  "freeze-redis": { type: "string" },
  "state-dir": { type: "boolean", default: false },
} as const;

/** How to call that part. */
export const JOB_USAGE = `
  --jobs N          delegated leaves only, N of them (20000): join, hold, all leave at once
  --delay-seconds S     delay of each leave event (60; 30 with --failing, 15 with --freeze-redis)
  --hold-seconds S      time between joining and leaving (two restarts of each event)
  --room-size N         users in a room (10)
  --failing SHARE       share of the homeserver's answers that are 503 (0); 5000 jobs unless told
  --latency-ms MS       how long the homeserver takes (0)
  --legacy              join by /sfu/get
  --leave-connections N connections that bring the webhooks of those who leave (128)
  --redis               with a redis-server from the PATH
  --freeze-redis S      stops that one for so long in between; 2000 jobs unless told
  --state-dir           with a state folder
`;

/** Later than the latest restart of any service worth measuring, as a share of the delay. */
const CYCLE = 0.8;
/** Restarts of each event while all are in their calls. */
const CYCLES = 2;
const SCENARIOS = {
  plain: { jobs: 20_000, delaySeconds: 60 },
  failing: { jobs: 5000, delaySeconds: 30 },
  frozen: { jobs: 2000, delaySeconds: 15 },
};

type JobValues = {
  [Name in keyof typeof JOB_OPTIONS]?: string | boolean | undefined;
};

/**
 * Reads the options of the run with delegated leaves.
 *
 * @example Faults come with what makes runs comparable
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readJobArguments } from "./job_arguments.ts";
 *
 * const { jobs, delaySeconds, holdSeconds } = readJobArguments({ failing: "0.3" });
 * assertEquals([jobs, delaySeconds, holdSeconds], [5000, 30, 48]);
 * ```
 *
 * @param values As `parseArgs` returns them.
 * @returns What to do.
 * @throws {TypeError} When a value makes no sense.
 */
export function readJobArguments(values: JobValues): JobArguments {
  const read = (name: keyof JobValues, usual: number, limits: NumberLimits = {}): number => {
    const value = values[name] === undefined ? usual : Number(values[name]);
    const { min = 1, max = 1e6, whole = true } = limits;
    if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
    throw new TypeError(
      `--${name} must be a ${whole ? "whole " : ""}number from ${min} to ${max}: ` +
        `received "${values[name]}"`,
    );
  };
  const failing = read("failing", 0, { min: 0, max: 0.95, whole: false });
  const freezeRedisSeconds = read("freeze-redis", 0, { min: 0, max: 600, whole: false });
  const usual = freezeRedisSeconds > 0
    ? SCENARIOS.frozen
    : failing > 0
    ? SCENARIOS.failing
    : SCENARIOS.plain;
  const delaySeconds = read("delay-seconds", usual.delaySeconds, { max: 86_400 });
  const cycles = CYCLES * CYCLE * delaySeconds;
  return {
    jobs: read("jobs", usual.jobs),
    delaySeconds,
    roomSize: read("room-size", 10),
    // Who fell behind while Redis stood still must have the time to be thrown out.
    holdSeconds: read("hold-seconds", Math.ceil(cycles + freezeRedisSeconds), { max: 86_400 }),
    failing,
    latencyMs: read("latency-ms", 0, { min: 0, max: 60_000 }),
    path: values.legacy ? "/sfu/get" : "/get_token",
    leaveConnections: read("leave-connections", 128, { max: 1024 }),
    redis: values.redis === true || freezeRedisSeconds > 0,
    freezeRedisSeconds,
    stateDir: values["state-dir"] === true,
  };
}

interface NumberLimits {
  min?: number;
  max?: number;
  whole?: boolean;
}
