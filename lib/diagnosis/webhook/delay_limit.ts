/** G5: how long the homeserver lets a leave wait. */

import type { Finding } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import { describeExchange } from "../describe_answer.ts";
import type { Exchange } from "../probe.ts";

/** What clients ask for when somebody else restarts their leave. */
const HOUR_MS = 3_600_000;
const NAMES = ["m.delayed_events", "org.matrix.msc4140.delayed_events"];

/** Asks for the capabilities of the user whose token was given. */
export async function askCapabilities(context: DoctorContext): Promise<Exchange | undefined> {
  const { facts, probe, userToken } = context;
  const owner = await facts.tokenOwner();
  if (owner?.userId === undefined || userToken === undefined) return undefined;
  return await probe(`${owner.baseUrl}/_matrix/client/v3/capabilities`, {
    headers: { authorization: `Bearer ${userToken.reveal()}` },
  });
}

/** Judges the answer; `undefined` where there was nobody to ask as. */
export function judgeDelayLimit(exchange: Exchange | undefined): Finding {
  if (exchange === undefined) {
    return { verdict: "SKIP", evidence: "needs a user's access token (--user-token-file)" };
  }
  if (!exchange.answered || exchange.status !== 200) {
    return { verdict: "SKIP", evidence: `no capabilities: ${describeExchange(exchange)}` };
  }
  const { capabilities } = (exchange.json ?? {}) as {
    capabilities?: Record<string, { max_delay_ms?: unknown } | undefined>;
  };
  const ms = NAMES.map((name) => capabilities?.[name]?.max_delay_ms).find((value) =>
    typeof value === "number"
  ) as number | undefined;
  if (ms === undefined) {
    return { verdict: "SKIP", evidence: "the homeserver does not tell its limit" };
  }
  const evidence = `the homeserver takes delays up to ${Math.round(ms / 1000)} s`;
  if (ms >= HOUR_MS) return { verdict: "PASS", evidence };
  return {
    verdict: "FAIL",
    evidence,
    remedy: "Synapse: raise max_event_delay_duration to 1h or more; clients ask for an hour when " +
      "their leave is delegated.",
  };
}
