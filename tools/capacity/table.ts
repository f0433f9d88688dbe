/** The sheet as tables of Markdown. */

import type { CallCost } from "./hammer.ts";
import type { Borne } from "./limits.ts";
import { type Line, offPercent } from "./sheet.ts";
import type { Waves } from "./waves.ts";

/**
 * Writes a number: all of a whole one, three digits that count of another.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { short } from "./table.ts";
 *
 * assertEquals([1_353, 27_298.45, 0.07031].map(short), ["1 353", "27 300", "0.0703"]);
 * ```
 */
export function short(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "–";
  const digits = Number.isInteger(value) ? value : Number(value.toPrecision(3));
  return Math.abs(digits) < 1_000 ? `${digits}` : `${digits}`.replace(/\B(?=(\d{3})+$)/g, " ");
}

/** Lines of the sheet; rates are those of the simulation where there is one. */
export function lineTable(lines: readonly Line[]): string {
  return table(
    [
      "participants",
      "rooms",
      "delay",
      "replicas",
      "",
      "restarts/s",
      "sends/s",
      "homeserver: most in 1 s, in 100 ms",
      "ListRooms/s",
      "ListParticipants/s",
      "GetParticipant/s",
      "SFU: most in 1 s, in 100 ms",
      "records/s, in goes/s",
      "lost",
      "off the formula",
    ],
    lines.map((line) => {
      const { scenario, formula, simulated, what } = line;
      const rates = simulated?.rates ?? formula;
      const bursts = (of?: { inOneSecond: number; in100Ms: number }) =>
        of === undefined ? "–" : `${short(of.inOneSecond)}, ${short(of.in100Ms)}`;
      const off = offPercent(line);
      return [
        short(scenario.participants),
        short(scenario.participants / scenario.roomSize),
        delay(scenario.delaySeconds),
        short(scenario.replicas),
        what,
        short(rates.restarts),
        short(rates.sends),
        bursts(simulated?.homeserverBursts),
        short(rates.listRooms),
        short(rates.listParticipants),
        short(rates.getParticipant),
        bursts(simulated?.sfuBursts),
        `${short(rates.storeChanges)}, ${short(simulated?.storeGoes)}`,
        short(simulated === undefined ? undefined : simulated.lost + simulated.refused),
        off === undefined ? "computed" : `${off.toFixed(0)} %`,
      ];
    }),
  );
}

/** What homeservers with limits bear. */
export function limitTable(borne: readonly Borne[]): string {
  return table(
    ["calls/s, at once", "delay", "restarts in time", "no event lost", "latest leave"],
    borne.map(({ limit, delaySeconds, inTheory, participants, longestLeaveSeconds }) => [
      `${limit.perSecond}, ${limit.burst}`,
      delay(delaySeconds),
      short(inTheory),
      short(participants),
      `${longestLeaveSeconds.toFixed(0)} s`,
    ]),
  );
}

/** What comes at once. */
export function waveTable(waves: readonly Waves[]): string {
  return table(
    [
      "participants",
      "delay",
      "calls/s, at once",
      "started: all restarted after",
      "lost",
      "SFU: most in 1 s",
      "all hang up: all leaves sent after",
    ],
    waves.map((wave) => [
      short(wave.participants),
      delay(wave.delaySeconds),
      wave.limit === undefined ? "no limit" : `${wave.limit.perSecond}, ${wave.limit.burst}`,
      `${short(wave.restartSeconds)} s`,
      short(wave.lost),
      short(wave.sfuMost),
      `${short(wave.sendSeconds)} s`,
    ]),
  );
}

/** What calls cost real servers. */
export function costTable(costs: readonly CallCost[]): string {
  return table(
    ["call", "processor time of the server", "calls/s of one core", "calls/s here"],
    costs.map(({ call, cpuMs, callsPerSecond }) => [
      call,
      `${short(cpuMs)} ms`,
      short(1_000 / cpuMs),
      short(callsPerSecond),
    ]),
  );
}

function delay(seconds: number): string {
  return seconds % 3_600 === 0 ? `${seconds / 3_600} h` : `${seconds} s`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map(() => "---");
  return [head, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
