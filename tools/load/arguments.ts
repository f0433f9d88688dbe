import { parseArgs } from "node:util";
import { usualCommand } from "../../tests/support/service.ts";
import { JOB_OPTIONS, JOB_USAGE, type JobArguments, readJobArguments } from "./job_arguments.ts";

/** A part of a load run. */
export type LoadPart = "start" | "closed" | "storm" | "memory" | "jobs";

/** What a load run is to do. */
export interface LoadArguments {
  /** Which parts to run. */
  parts: ReadonlySet<LoadPart>;
  /** Program and arguments of the service. */
  command: string[];
  /** Measured requests of a closed loop at 32 and 256 connections; a quarter of them at one. */
  requests: number;
  /** Requests of the memory run. */
  memoryRequests: number;
  /** Users of the storm. */
  stormUsers: number;
  /** Different rooms in closed loops; `Infinity` for a new one with each request. */
  rooms: number;
  /** Starts of which the median is told. */
  starts: number;
  /** Whether the service gets a processor for itself, and all else the others. */
  pin: boolean;
  /** The run with delegated leaves. */
  job: JobArguments;
}

/** How to call the tool. */
export const USAGE = `usage: deno task load [OPTION…]

  --binary PATH     the compiled service; MATRIXRTC_AUTH_BINARY names it too
  --script PATH     a script or bundle for deno run; main.ts unless told
  --requests N      requests of a closed loop (20000); the memory run takes 15 times as many
  --rooms WHICH     rooms of the closed loops: many (1000 in turn), one, or fresh (one a request)
  --memory          the memory run too: 300000 requests
  --only PART       start, closed, storm, memory or jobs; may be given several times
  --pin             the service alone on processor 0, all else on the others (taskset)
  --quick           a glance at everything: few requests, few users
${JOB_USAGE}
Prints JSON on standard output, progress on standard error. Linux only.
`;

const PARTS: readonly LoadPart[] = ["start", "closed", "storm", "memory", "jobs"];
/** What runs without being asked for. */
const USUAL_PARTS: readonly LoadPart[] = ["start", "closed", "storm"];
const ROOMS: Record<string, number> = { one: 1, many: 1000, fresh: Infinity };

/**
 * Reads the command line.
 *
 * @example A binary and fewer requests
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseLoadArguments } from "./arguments.ts";
 *
 * const args = parseLoadArguments(["--binary", "/opt/service", "--requests", "9"]);
 * assertEquals([args?.command, args?.requests], [["/opt/service"], 9]);
 * ```
 *
 * @param args As the tool got them.
 * @returns What to do; `undefined` when help was asked for.
 * @throws {TypeError} When an option is unknown or its value makes no sense.
 */
export function parseLoadArguments(args: string[]): LoadArguments | undefined {
  const { values } = parseArgs({
    args,
    options: {
      binary: { type: "string" },
      script: { type: "string" },
      requests: { type: "string" },
      rooms: { type: "string", default: "many" },
      memory: { type: "boolean", default: false },
      only: { type: "string", multiple: true },
      pin: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      ...JOB_OPTIONS,
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const quick = values.quick;
  const requests = Number(values.requests ?? (quick ? 1000 : 20_000));
  if (!Number.isInteger(requests) || requests < 1) {
    throw new TypeError(`--requests must be a whole number above 0: received "${values.requests}"`);
  }
  if (!Object.hasOwn(ROOMS, values.rooms)) {
    throw new TypeError(`--rooms must be one of many, one, fresh: received "${values.rooms}"`);
  }
  return {
    command: chooseCommand(values.binary, values.script),
    parts: chooseParts(values.only, values.memory, values.jobs !== undefined),
    requests,
    memoryRequests: requests * 15,
    stormUsers: quick ? Math.min(200, requests) : 2000,
    rooms: ROOMS[values.rooms]!,
    starts: quick ? 1 : 5,
    pin: values.pin,
    job: readJobArguments(values),
  };
}

function chooseParts(
  only: string[] | undefined,
  memory: boolean,
  jobs: boolean,
): ReadonlySet<LoadPart> {
  for (const part of only ?? []) {
    if (!PARTS.some((known) => known === part)) {
      throw new TypeError(`--only must be one of ${PARTS.join(", ")}: received "${part}"`);
    }
  }
  const asked = only ?? [
    ...(jobs && !memory ? [] : USUAL_PARTS),
    ...(memory ? ["memory"] : []),
    ...(jobs ? ["jobs"] : []),
  ];
  return new Set(PARTS.filter((part) => asked.includes(part)));
}

function chooseCommand(binary: string | undefined, script: string | undefined): string[] {
  if (binary !== undefined) return [binary];
  if (script !== undefined) return [Deno.execPath(), "run", "-A", script];
  return usualCommand();
}
