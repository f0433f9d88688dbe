import { parseArgs } from "node:util";
import { type Scenario, USUAL } from "./scenario.ts";

/** A part of the sheet. */
export type SheetPart = "growth" | "variations" | "limits" | "waves" | "real";

/** What the tool is to do. */
export interface CapacityArguments {
  readonly parts: ReadonlySet<SheetPart>;
  /** A scenario in place of the sheet. */
  readonly scenario?: Scenario;
  /** No more participants than these are simulated; for others the formula alone is used. */
  readonly upTo: number;
  readonly json: boolean;
}

/** How to call the tool. */
export const USAGE = `usage: deno task capacity [OPTION…]

Simulates the service's own code with a virtual clock and counts its calls. Without options: the
sheet of docs/capacity.md: growth, variations, limits and waves; ten minutes.

  --only PART         one of these, or real; may be given several times. real measures a real
                      Synapse and a real livekit-server, which .ci/install installs
  --up-to N           simulate up to N participants (100000); for more there is the formula
  --json              all there is to know, as JSON

One scenario in place of the sheet, with any of:

  --participants N    in calls at any time (1000)
  --room-size N       participants of one room (10)
  --delay S           seconds of each delayed event (3600)
  --interval S        LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS (30; 0: no polling)
  --no-webhooks       the SFU's webhooks do not arrive
  --call-minutes M    how long a participant stays on average (30)
  --vanishing SHARE   of those who leave without hanging up (0.05)
  --replicas N        processes of the service (1)
  --homeserver-ms MS  how long the homeserver takes for an answer (10)
  --limit N:BURST     calls a second that the homeserver takes, and at once
`;

const USUAL_PARTS: readonly SheetPart[] = ["growth", "variations", "limits", "waves"];
const PARTS: readonly SheetPart[] = [...USUAL_PARTS, "real"];
const MAX_SIMULATED = 400_000;

/**
 * Reads the command line.
 *
 * @example One scenario
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseCapacityArguments } from "./arguments.ts";
 *
 * const { scenario } = parseCapacityArguments(["--delay", "60", "--limit", "100:200"])!;
 * assertEquals([scenario?.delaySeconds, scenario?.limit], [60, { perSecond: 100, burst: 200 }]);
 * ```
 *
 * @param args As the tool got them.
 * @returns What to do; `undefined` when help was asked for.
 * @throws {TypeError} When an option is unknown or its value makes no sense.
 */
export function parseCapacityArguments(args: string[]): CapacityArguments | undefined {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string", multiple: true },
      "up-to": { type: "string" },
      json: { type: "boolean", default: false },
      participants: { type: "string" },
      "room-size": { type: "string" },
      delay: { type: "string" },
      interval: { type: "string" },
      "no-webhooks": { type: "boolean" },
      "call-minutes": { type: "string" },
      vanishing: { type: "string" },
      replicas: { type: "string" },
      "homeserver-ms": { type: "string" },
      limit: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const { only = USUAL_PARTS, json, help: _, "up-to": __, ...ofScenario } = values;
  for (const part of only) {
    if (!(PARTS as readonly string[]).includes(part)) {
      throw new TypeError(`--only must be one of ${PARTS.join(", ")}: received "${part}"`);
    }
  }
  const upTo = number("up-to", values["up-to"], 100_000, { max: MAX_SIMULATED });
  const parts = new Set(only as readonly SheetPart[]);
  if (Object.keys(ofScenario).length === 0) return { parts, upTo, json };
  const scenario: Scenario = {
    participants: number("participants", values.participants, USUAL.participants, { max: 1e9 }),
    roomSize: number("room-size", values["room-size"], USUAL.roomSize),
    delaySeconds: number("delay", values.delay, USUAL.delaySeconds, { max: 86_400 }),
    intervalSeconds: number("interval", values.interval, USUAL.intervalSeconds, { min: 0 }),
    hasWebhooks: values["no-webhooks"] !== true,
    callMinutes: number("call-minutes", values["call-minutes"], USUAL.callMinutes),
    vanishing: number("vanishing", values.vanishing, USUAL.vanishing, {
      min: 0,
      max: 1,
      isWhole: false,
    }),
    replicas: number("replicas", values.replicas, USUAL.replicas, { max: 100 }),
    homeserverMs: number("homeserver-ms", values["homeserver-ms"], USUAL.homeserverMs, { min: 0 }),
    ...(values.limit === undefined ? {} : { limit: limitOf(values.limit) }),
  };
  return { parts, scenario, upTo, json };
}

function limitOf(text: string): { perSecond: number; burst: number } {
  const [perSecond, burst] = text.split(":");
  return {
    perSecond: number("limit", perSecond, NaN, { min: 0.001, isWhole: false }),
    burst: number("limit", burst ?? "", NaN),
  };
}

interface NumberLimits {
  readonly min?: number;
  readonly max?: number;
  readonly isWhole?: boolean;
}

function number(
  name: string,
  text: string | undefined,
  usual: number,
  { min = 1, max = 1e6, isWhole = true }: NumberLimits = {},
): number {
  const value = text === undefined ? usual : text === "" ? NaN : Number(text);
  if (value >= min && value <= max && (!isWhole || Number.isInteger(value))) return value;
  throw new TypeError(
    `--${name} must be a ${isWhole ? "whole " : ""}number from ${min} to ${max}: ` +
      `received "${text}"`,
  );
}
