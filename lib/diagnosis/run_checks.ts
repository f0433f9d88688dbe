/** Runs checks side by side, each within its time. */

import type { Clock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import type { Secret } from "../secret.ts";
import type { Check, Finding, Group, Result, Verdict } from "./check.ts";
import { createCleaner } from "./clean_text.ts";

/** How checks are run. */
export interface RunOptions {
  readonly clock: Clock;
  /** How many at a time. */
  readonly concurrency?: number;
  /** For one check that says nothing else. */
  readonly timeoutMs?: number;
  /** For all; what has not ended then fails. */
  readonly totalMs?: number;
  /** Must not be seen in any result, whatever a server said. */
  readonly secrets?: readonly Secret[];
  /** Called as checks end, in the order in which they do. */
  readonly onResult?: (result: Result, done: number, total: number) => void;
}

const CONCURRENCY = 16;
const TIMEOUT_MS = 15_000;
const TOTAL_MS = 60_000;

class LateError extends Error {}

/**
 * Runs checks.
 *
 * @returns One result for each, in the order of the checks. Never rejects.
 */
export async function runChecks<Context>(
  checks: readonly Check<Context>[],
  context: Context,
  options: RunOptions,
): Promise<Result[]> {
  const { clock, onResult } = options;
  const clean = createCleaner(options.secrets ?? []);
  const endsAt = clock.monotonic() + (options.totalMs ?? TOTAL_MS);
  const results: Result[] = new Array(checks.length);
  let next = 0;
  let done = 0;

  async function make(check: Check<Context>): Promise<Result> {
    const startedAt = clock.monotonic();
    const ownMs = check.timeoutMs ?? options.timeoutMs ?? TIMEOUT_MS;
    const ms = Math.min(ownMs, endsAt - startedAt);
    let finding: Finding;
    try {
      const late = () => new LateError(`the check did not end in ${Math.max(ms, 0) / 1000} s`);
      if (ms <= 0) throw late();
      finding = await withDeadline(runOne(check, context), ms, clock, late);
    } catch (error) {
      finding = failureOf(error);
    }
    const { id, title, subject } = check;
    return {
      id,
      group: id[0] as Group,
      title,
      ...subject !== undefined && { subject: clean(subject) },
      verdict: finding.verdict,
      evidence: clean(finding.evidence),
      ...finding.remedy !== undefined && { remedy: clean(finding.remedy) },
      ms: Math.round(clock.monotonic() - startedAt),
    };
  }

  async function work(): Promise<void> {
    while (next < checks.length) {
      const at = next++;
      const result = results[at] = await make(checks[at]!);
      onResult?.(result, ++done, checks.length);
    }
  }

  await Promise.all(Array.from({ length: options.concurrency ?? CONCURRENCY }, work));
  return results;
}

/** A check that throws at once must not end its worker either. */
async function runOne<Context>(check: Check<Context>, context: Context): Promise<Finding> {
  return await check.run(context);
}

function failureOf(error: unknown): Finding {
  const evidence = error instanceof Error ? error.message : String(error);
  const remedy = error instanceof LateError
    ? "Something on the way stays silent, as firewalls do that drop packets: look at those " +
      "between here and the servers that the other checks name."
    : "The check itself broke, so it tells nothing about what it looks at: look at the checks " +
      "around it, and report this line as a fault of matrixrtc-auth.";
  return { verdict: "FAIL", evidence, remedy };
}

/** How many results there are of each verdict. */
export interface Summary {
  readonly pass: number;
  readonly warn: number;
  readonly fail: number;
  readonly skip: number;
}

/** Counts results. */
export function summarize(results: readonly Pick<Result, "verdict">[]): Summary {
  const count = (verdict: Verdict) => results.filter((result) => result.verdict === verdict).length;
  return { pass: count("PASS"), warn: count("WARN"), fail: count("FAIL"), skip: count("SKIP") };
}

/** The exit code of a diagnosis: 0 all is well, 1 there are warnings, 2 there are failures. */
export function exitCodeOf({ warn, fail }: Summary): 0 | 1 | 2 {
  return fail > 0 ? 2 : warn > 0 ? 1 : 0;
}
