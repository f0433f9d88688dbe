/** Whether the service and what it depends on work: asked by many, looked at once. */

import type { Logger } from "@logtape/logtape";
import { STATUS_CODE } from "@std/http/status";
import type { Clock } from "../clock.ts";
import type { Verdict } from "../diagnosis/check.ts";
import type { ReadyCheck, ReadyFinding } from "../diagnosis/ready/ready_check.ts";
import { describeError, hopFact } from "../observability/logger.ts";
import type { Endpoint } from "./endpoint.ts";

/** What looking takes. */
export interface ReadinessOptions {
  readonly checks: readonly ReadyCheck[];
  readonly log: Logger;
  readonly clock: Clock;
}

/** A check that was made. The evidence stays out: this is for everybody. */
export interface ReadyResult {
  readonly name: string;
  readonly title: string;
  /** `SKIP`: not known yet. */
  readonly verdict: Verdict;
  readonly remedy?: string;
}

/** Looks, or tells what was seen a moment ago. Never rejects. */
export type LookAtReadiness = () => Promise<readonly ReadyResult[]>;

/** Results are kept this long, so that probing us is not probing others. */
const KEEP_MS = 5_000;

/** A verdict's word in JSON. */
const WORDS = { PASS: "ok", WARN: "warning", FAIL: "failed", SKIP: "unknown" } as const;

/**
 * Makes the function that looks. However many ask, there is one look at a time, and none within
 * five seconds after one. The log is told when a check's result changes, not each time.
 */
export function createReadiness({ checks, log, clock }: ReadinessOptions): LookAtReadiness {
  const troubles = new Map<string, string>();
  let kept: Promise<readonly ReadyResult[]> | undefined;
  let keptUntil = Infinity;

  async function look(): Promise<readonly ReadyResult[]> {
    const results = await Promise.all(checks.map(async (check) => {
      const finding = await run(check);
      tellLog(check, finding);
      const { verdict, remedy } = finding;
      const { name, title } = check;
      return { name, title, verdict, ...remedy !== undefined && { remedy } };
    }));
    keptUntil = clock.monotonic() + KEEP_MS;
    return results;
  }

  function tellLog({ name, isLogged }: ReadyCheck, finding: ReadyFinding): void {
    const { verdict, evidence, remedy, hop } = finding;
    const before = troubles.get(name);
    if (verdict === "PASS" || verdict === "SKIP") {
      troubles.delete(name);
      if (before !== undefined && !isLogged) log.info("works again", { check: name });
      return;
    }
    // What was seen may hold a number that is another each time; what to do does not.
    const trouble = `${verdict} ${hop} ${remedy}`;
    troubles.set(name, trouble);
    if (trouble === before || isLogged) return;
    const what = verdict === "FAIL" ? "not ready" : "ready, but";
    log.warning(`${what}: ${evidence}`, { check: name, ...hop !== undefined && { hop } });
  }

  return () => {
    if (kept === undefined || clock.monotonic() >= keptUntil) {
      keptUntil = Infinity;
      kept = look();
    }
    return kept;
  };
}

async function run(check: ReadyCheck): Promise<ReadyFinding> {
  try {
    return await check.run();
  } catch (error) {
    return {
      verdict: check.isVital ? "FAIL" : "WARN",
      evidence: describeError(error),
      remedy: "See the log of the service.",
      ...hopFact(error),
    };
  }
}

/** What the results come to: ready unless something fails without which nobody gets in. */
export function isReady(results: readonly ReadyResult[]): boolean {
  return results.every(({ verdict }) => verdict !== "FAIL");
}

/** The results for programs: `{"status":"ready","checks":{"sfu":"ok"}}`. */
export function readinessFields(results: readonly ReadyResult[]): Record<string, unknown> {
  return {
    status: isReady(results) ? "ready" : "not ready",
    checks: Object.fromEntries(results.map(({ name, verdict }) => [name, WORDS[verdict]])),
  };
}

/** Makes `GET /readyz`: the results with 200, or with 503 where one has failed. */
export function createReadinessEndpoint(look: LookAtReadiness): Endpoint {
  return async () => {
    const results = await look();
    return {
      status: isReady(results) ? STATUS_CODE.OK : STATUS_CODE.ServiceUnavailable,
      contentType: "application/json",
      body: JSON.stringify(readinessFields(results)),
    };
  };
}
