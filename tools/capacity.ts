// How many calls the service makes, from ten participants to a million: `deno task capacity`,
// `deno task capacity --help`.

import { type CapacityArguments, parseCapacityArguments, USAGE } from "./capacity/arguments.ts";
import type { CallCost } from "./capacity/hammer.ts";
import { type Borne, findBorne } from "./capacity/limits.ts";
import { RECOMMENDED, SYNAPSE_DEFAULT } from "./capacity/scenario.ts";
import { fill, growth, type Line, lineOf, variations } from "./capacity/sheet.ts";
import { costTable, limitTable, lineTable, waveTable } from "./capacity/table.ts";
import { simulateWaves, type Waves } from "./capacity/waves.ts";

const EX_USAGE = 64;
const DELAYS = [10, 60, 3_600];
/** Participants, delay and limit of those who come or go at once. */
const WAVES = [
  [20, 60, SYNAPSE_DEFAULT],
  [200, 3_600, SYNAPSE_DEFAULT],
  [1_000, 60, RECOMMENDED],
  [3_000, 60, RECOMMENDED],
  [10_000, 3_600, RECOMMENDED],
  [50_000, 3_600, RECOMMENDED],
  [10_000, 60, undefined],
  [100_000, 3_600, undefined],
] as const;

function parseOrExit(): CapacityArguments {
  try {
    const args = parseCapacityArguments(Deno.args);
    if (args !== undefined) return args;
    console.log(USAGE);
    Deno.exit(0);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    Deno.exit(EX_USAGE);
  }
}

/** Tells on standard error what is done, as it may take minutes. */
async function telling<T>(what: string, action: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await action();
  const seconds = (performance.now() - startedAt) / 1_000;
  console.error(`${what}: ${seconds.toFixed(1)} s`);
  return result;
}

async function fillAll(lines: Omit<Line, "simulated">[], upTo: number): Promise<Line[]> {
  const filled: Line[] = [];
  for (const line of lines) {
    const { participants, delaySeconds } = line.scenario;
    const what = `${participants} participants, ${delaySeconds} s ${line.what}`;
    filled.push(await telling(what, () => fill(line, upTo)));
  }
  return filled;
}

async function findAllBorne(upTo: number): Promise<Borne[]> {
  const borne: Borne[] = [];
  for (const limit of [SYNAPSE_DEFAULT, RECOMMENDED]) {
    for (const delaySeconds of DELAYS) {
      const what = `${limit.perSecond} calls a second, ${delaySeconds} s`;
      borne.push(await telling(what, () => findBorne(delaySeconds, limit, upTo)));
    }
  }
  return borne;
}

async function makeWaves(upTo: number): Promise<Waves[]> {
  const waves: Waves[] = [];
  for (const [participants, delaySeconds, limit] of WAVES) {
    if (participants > upTo) continue;
    const what = `${participants} participants at once, ${delaySeconds} s`;
    waves.push(await telling(what, () => simulateWaves(participants, delaySeconds, limit)));
  }
  return waves;
}

async function measureReal(): Promise<CallCost[]> {
  // Only here, as it needs a library for WebRTC that is not there on every machine.
  const { measureLiveKit, measureSynapse } = await import("./capacity/real_servers.ts");
  return [
    ...await telling("Synapse", measureSynapse),
    ...await telling("livekit-server", measureLiveKit),
  ];
}

async function main(): Promise<void> {
  const { scenario, parts, upTo, json } = parseOrExit();
  const lines = scenario !== undefined
    ? [lineOf("", scenario)]
    : [...parts.has("growth") ? growth() : [], ...parts.has("variations") ? variations() : []];
  const isSheet = scenario === undefined;
  const sheet = {
    lines: await fillAll(lines, upTo),
    limits: isSheet && parts.has("limits") ? await findAllBorne(upTo) : [],
    waves: isSheet && parts.has("waves") ? await makeWaves(upTo) : [],
    real: isSheet && parts.has("real") ? await measureReal() : [],
  };
  if (json) {
    console.log(JSON.stringify(sheet, null, 2));
    return;
  }
  const tables = [
    sheet.lines.length > 0 && lineTable(sheet.lines),
    sheet.limits.length > 0 && limitTable(sheet.limits),
    sheet.waves.length > 0 && waveTable(sheet.waves),
    sheet.real.length > 0 && costTable(sheet.real),
  ];
  console.log(tables.filter((table) => table !== false).join("\n\n"));
}

await main();
// The library for WebRTC keeps threads.
Deno.exit(0);
