import { editDistance } from "./edit_distance.ts";
import type { Findings } from "../findings.ts";
import { printable } from "../parse/quote_value.ts";
import type { OpenSources } from "./sources.ts";
import { listVariables } from "../variables/variables.ts";

/** Variables of earlier releases that nothing here corresponds to, with what to set instead. */
const RETIRED: Record<string, string> = {
  HS_ALLOWLIST:
    "is ignored: say who may come in MATRIXRTC_HOMESERVERS_ALLOWED, and who may create rooms in " +
    "LIVEKIT_FULL_ACCESS_HOMESERVERS",
};

/** livekit-server makes a variable out of each of its settings; these are their beginnings. */
const LIVEKIT_SERVER = new RegExp(
  "^LIVEKIT_(?:AUDIO|BIND_ADDRESSES|CONFIG|DEVELOPMENT|INGRESS|KEY_FILE|LIMIT|LOGGING|NODE|PORT|" +
    "PROMETHEUS|PSRPC|REDIS_(?!URL|PASSWORD)|REGION|ROOM|RTC|SIGNAL_RELAY|SIP|TURN|VIDEO|WEBHOOK)",
);

/** Kubernetes sets these for every service of a namespace; no person wrote them. */
const SERVICE_LINK =
  /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_\w+)?)$/;

/** More changes than this and it is another word. */
const MAX_DISTANCE = 3;

const PREFIX = /^(?:LIVEKIT|MATRIXRTC|LK)_/i;

/**
 * Warns about names that look like ours and are not, because a misspelt variable changes nothing
 * and says nothing.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Findings } from "../findings.ts";
 * import { openSources } from "./sources.ts";
 * import { warnAboutNames } from "./unknown_names.ts";
 *
 * const findings = new Findings();
 * const env = { LIVEKIT_FULL_ACCES_HOMESERVERS: "example.org" };
 * const sources = openSources({ env, readFile: () => "" });
 * warnAboutNames(sources.names, sources, findings);
 * assertEquals(
 *   findings.warnings[0]?.message,
 *   "LIVEKIT_FULL_ACCES_HOMESERVERS is not known and ignored: " +
 *     "did you mean LIVEKIT_FULL_ACCESS_HOMESERVERS?",
 * );
 * ```
 *
 * @param names All names that are set.
 */
export function warnAboutNames(
  names: readonly string[],
  sources: OpenSources,
  findings: Findings,
): void {
  const known = knownNames();
  const ofLiveKit: string[] = [];
  for (const name of names) {
    const found = sources.find(name);
    if (found === undefined) continue;
    if (Object.hasOwn(RETIRED, name)) findings.warn(name, RETIRED[name]!);
    if (!PREFIX.test(name) || known.has(name)) continue;
    if (SERVICE_LINK.test(name) || /^(?:tcp|udp|sctp):\/\//.test(found.text)) continue;
    const nearest = nearestName(name, known);
    if (known.has(name.replace(/_FROM_FILE$/, ""))) {
      findings.warn(name, "is ignored: only secrets can be given as files");
    } else if (nearest !== undefined) {
      findings.warn(name, `is not known and ignored: did you mean ${nearest}?`);
    } else if (LIVEKIT_SERVER.test(name)) {
      ofLiveKit.push(name);
    } else {
      findings.warn(name, "is not known and ignored");
    }
  }
  const [first, ...others] = ofLiveKit;
  if (first === undefined) return;
  const more = others.length === 0 ? "" : ` (and ${others.map(printable).join(", ")})`;
  findings.warn(
    first,
    `${more && `${more.trim()} `}belongs to livekit-server and is not read here`,
  );
}

function knownNames(): ReadonlySet<string> {
  return new Set(
    listVariables().flatMap(([name, variable]) => [
      name,
      ...(variable.secret === "value" ? [`${name}_FROM_FILE`] : []),
      ...(variable.otherNames ?? []).map((other) => other.name),
    ]),
  );
}

function nearestName(name: string, known: ReadonlySet<string>): string | undefined {
  const word = name.toUpperCase().replace(PREFIX, "");
  const distances = [...known].filter((candidate) => PREFIX.test(candidate)).map((candidate) => {
    // The right word behind the wrong prefix is as good as one wrong letter.
    const byWord = editDistance(word, candidate.replace(PREFIX, "")) + 1;
    return [candidate, Math.min(editDistance(name.toUpperCase(), candidate), byWord)] as const;
  });
  const [nearest, distance] = distances.reduce((best, next) => next[1] < best[1] ? next : best);
  // Short words resemble each other by chance.
  return distance <= Math.min(MAX_DISTANCE, Math.max(1, word.length / 3)) ? nearest : undefined;
}
