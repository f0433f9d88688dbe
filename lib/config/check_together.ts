import { checkHalves } from "./check_halves.ts";
import { checkHomeserverMode } from "./check_homeserver_mode.ts";
import type { ListenAddress } from "./config.ts";
import type { Findings } from "./findings.ts";
import { quoteValue } from "./parse/quote_value.ts";
import type { OpenSources } from "./sources/sources.ts";
import type { Values, VariableName } from "./variables/variables.ts";

/**
 * Checks what no single variable can tell: pairs of which one half is missing, and settings that
 * contradict each other.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { checkTogether } from "./check_together.ts";
 * import { Findings } from "./findings.ts";
 * import { openSources } from "./sources/sources.ts";
 *
 * const findings = new Findings();
 * const sources = openSources({ env: {}, readFile: () => "" });
 * checkTogether({ LIVEKIT_URL: "ws://sfu", LIVEKIT_PREVIOUS_KEY: "old" }, sources, findings);
 * assertEquals(findings.faults.map(({ variable }) => variable), ["LIVEKIT_PREVIOUS_SECRET"]);
 * ```
 *
 * @param values What could be parsed.
 * @param sources For variables that were set beside the one that counts.
 */
export function checkTogether(
  values: Partial<Values>,
  sources: OpenSources,
  findings: Findings,
): void {
  const isMissing = (name: VariableName) => values[name] === undefined && !findings.isFaulty(name);
  if (isMissing("LIVEKIT_URL")) {
    findings.fault(
      "LIVEKIT_URL",
      "is not set. Accepted: the SFU's address, as in wss://sfu.example.org",
    );
  }
  if (isMissing("LIVEKIT_FULL_ACCESS_HOMESERVERS")) {
    warnOfNoAccess(values.LIVEKIT_HS_SERVER_NAME, findings);
  }
  checkHalves(["LIVEKIT_PREVIOUS_KEY", "LIVEKIT_PREVIOUS_SECRET"], isMissing, findings);
  checkHomeserverMode(values, isMissing, sources, findings);
  if (values.LIVEKIT_REDIS_PASSWORD !== undefined && isMissing("LIVEKIT_REDIS_URL")) {
    findings.warn("LIVEKIT_REDIS_PASSWORD", "is ignored because LIVEKIT_REDIS_URL is not set");
  }
  checkOldPort(values.LIVEKIT_JWT_BIND, sources, findings);
  checkMetrics(values, findings);
}

/** In homeserver mode it matters to older clients only, which do not ask their homeserver. */
function warnOfNoAccess(homeserver: string | undefined, findings: Findings): void {
  findings.warn(
    "LIVEKIT_FULL_ACCESS_HOMESERVERS",
    homeserver === undefined
      ? "is not set: nobody has full access, and rooms come about only if LiveKit's auto_create " +
        "is on. List your Matrix server name, the part after the colon in user IDs"
      : "is not set: clients that do not ask their homeserver yet cannot start calls. " +
        `List ${quoteValue(homeserver)} while there are any`,
  );
}

/** An unequal port would leave a proxy or a health check talking to nobody. */
function checkOldPort(
  listen: ListenAddress | undefined,
  sources: OpenSources,
  findings: Findings,
): void {
  const bind = sources.find("LIVEKIT_JWT_BIND");
  if (bind === undefined || listen === undefined) return;
  for (const name of ["LIVEKIT_JWT_PORT", "LK_JWT_PORT"]) {
    const port = sources.find(name)?.text;
    if (port === undefined || port.includes("://")) continue;
    if (listen.kind === "tcp" && /^[0-9]{1,5}$/.test(port) && Number(port) === listen.port) {
      continue;
    }
    findings.fault(
      name,
      `is ${quoteValue(port)}, but LIVEKIT_JWT_BIND is ${quoteValue(bind.text)}. Accepted: ` +
        "LIVEKIT_JWT_BIND alone, or the same port in both",
    );
  }
}

function checkMetrics(values: Partial<Values>, findings: Findings): void {
  const { LIVEKIT_JWT_BIND: listen, MATRIXRTC_METRICS_BIND: metrics } = values;
  if (listen === undefined || metrics === undefined) return;
  const isSame = listen.kind === "unix"
    ? metrics.kind === "unix" && metrics.path === listen.path
    : metrics.kind === "tcp" && metrics.port !== 0 && metrics.port === listen.port &&
      metrics.hostname === listen.hostname;
  if (!isSame) return;
  findings.fault(
    "MATRIXRTC_METRICS_BIND",
    "is the address of LIVEKIT_JWT_BIND. Accepted: another address, which the proxy in front " +
      "does not pass on",
  );
}
