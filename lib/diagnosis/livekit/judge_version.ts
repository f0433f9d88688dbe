import type { Finding } from "../check.ts";
import type { SignalFacts } from "./signal_session.ts";

/** The oldest LiveKit that this service is tested with, by major and minor number. */
const OLDEST_TESTED = [1, 13] as const;

/**
 * F6: judges LiveKit's version.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { judgeVersion } from "./judge_version.ts";
 *
 * const facts = { kind: "joined", iceServers: [], candidates: [] } as const;
 * assertEquals(judgeVersion({ ...facts, version: "1.13.5" }).verdict, "PASS");
 * assertEquals(judgeVersion({ ...facts, version: "1.9.12" }).verdict, "WARN");
 * ```
 */
export function judgeVersion(facts: SignalFacts): Finding {
  if (facts.kind !== "joined") {
    return { verdict: "SKIP", evidence: "LiveKit tells its version to those whom it lets in (F5)" };
  }
  const oldest = OLDEST_TESTED.join(".");
  const [, major, minor] = /^v?(\d{1,4})\.(\d{1,4})\b/.exec(facts.version ?? "") ?? [];
  if (major === undefined || minor === undefined) {
    return { verdict: "SKIP", evidence: "LiveKit tells no version that can be compared" };
  }
  const isTested = Number(major) > OLDEST_TESTED[0] ||
    (Number(major) === OLDEST_TESTED[0] && Number(minor) >= OLDEST_TESTED[1]);
  const evidence = `LiveKit ${facts.version}`;
  if (isTested) return { verdict: "PASS", evidence };
  return {
    verdict: "WARN",
    evidence: `${evidence}, older than ${oldest}, the oldest that this service is tested with`,
    remedy: `Upgrade LiveKit to ${oldest} or newer.`,
  };
}
