/** The scenarios of the sheet, and what comes of them. */

import { type Rates, workOut } from "./formula.ts";
import { type Scenario, USUAL } from "./scenario.ts";
import { simulate, type Simulated } from "./simulate.ts";

/** One line of the sheet. */
export interface Line {
  /** What is not as usual. */
  readonly what: string;
  readonly scenario: Scenario;
  readonly formula: Rates;
  /** Absent where there are more participants than are simulated. */
  readonly simulated?: Simulated;
}

const PARTICIPANTS = [10, 100, 1_000, 10_000, 100_000, 1_000_000];
const DELAYS = [10, 60, 3_600];
/** A replica takes half a million jobs; half of that leaves room for those of one that fails, */
const JOBS_OF_REPLICA = 250_000;
/** and has 64 calls to one homeserver under way at most, so 6 400 a second if each takes 10 ms. */
const RESTARTS_OF_REPLICA = 4_000;

const VARIATIONS: Readonly<Record<string, Partial<Scenario>>> = {
  "as usual": {},
  "no webhooks": { hasWebhooks: false },
  "no polling": { intervalSeconds: 0 },
  "interval 10 s": { intervalSeconds: 10 },
  "rooms of 2": { roomSize: 2 },
  "rooms of 50": { roomSize: 50 },
  "calls of 5 min": { callMinutes: 5 },
  "calls of 2 h": { callMinutes: 120 },
  "30 % vanish": { vanishing: 0.3 },
  "2 replicas": { replicas: 2 },
  "4 replicas": { replicas: 4 },
  "homeserver takes 100 ms": { homeserverMs: 100 },
};

/** Lines by number of participants and delay. */
export function growth(): Omit<Line, "simulated">[] {
  return PARTICIPANTS.flatMap((participants) =>
    DELAYS.map((delaySeconds) => {
      const one = { ...USUAL, participants, delaySeconds };
      const { restarts } = workOut(one);
      const replicas = Math.max(
        Math.ceil(participants / JOBS_OF_REPLICA),
        Math.ceil(restarts / RESTARTS_OF_REPLICA),
      );
      return lineOf("", { ...one, replicas });
    })
  );
}

/** A thousand participants, each time with something else that is not as usual. */
export function variations(): Omit<Line, "simulated">[] {
  return Object.entries(VARIATIONS).map(([what, other]) => lineOf(what, { ...USUAL, ...other }));
}

/** One line. */
export function lineOf(what: string, scenario: Scenario): Omit<Line, "simulated"> {
  return { what, scenario, formula: workOut(scenario) };
}

/** Simulates a line unless it has too many participants. */
export async function fill(line: Omit<Line, "simulated">, upTo: number): Promise<Line> {
  if (line.scenario.participants > upTo) return line;
  return { ...line, simulated: await simulate(line.scenario) };
}

/** How far a simulation was off the formula, in percent, where it was most. */
export function offPercent({ formula, simulated }: Line): number | undefined {
  if (simulated === undefined) return undefined;
  const kinds = Object.keys(formula) as (keyof Rates)[];
  const offs = kinds.filter((kind) => formula[kind] > 0)
    .map((kind) => Math.abs(simulated.rates[kind] / formula[kind] - 1) * 100);
  return Math.max(...offs);
}
