/** What `doctor` prints: text for people, JSON for programs. */

import { type Group, GROUPS, type Result, type Verdict } from "../diagnosis/check.ts";
import { summarize } from "../diagnosis/run_checks.ts";

/** How text is printed. */
export interface TextStyle {
  /** Whether the reader's terminal shows colours. */
  readonly hasColour: boolean;
  /** Milliseconds that all of it took. */
  readonly ms: number;
}

const COLOURS: Readonly<Record<Verdict, number>> = { PASS: 32, WARN: 33, FAIL: 31, SKIP: 90 };
const BOLD = 1;
const INDENT = "            ";

/**
 * Words results for people: groups with headings, a line for each check, and beneath it what to do.
 *
 * @example
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * import { formatReport } from "./doctor_report.ts";
 *
 * const text = formatReport([
 *   {
 *     id: "A3",
 *     group: "A",
 *     title: "API secret",
 *     verdict: "WARN",
 *     evidence: "6 characters",
 *     remedy: "Make a new pair.",
 *     ms: 0,
 *   },
 * ], { hasColour: false, ms: 1200 });
 * assertStringIncludes(text, "  WARN  A3  API secret: 6 characters\n            → Make a new pair.");
 * assertStringIncludes(text, "0 passed, 1 warning, 0 failures, 0 skipped, in 1.2 s");
 * ```
 *
 * @returns Lines, the last one ended, too.
 */
export function formatReport(results: readonly Result[], { hasColour, ms }: TextStyle): string {
  const paint = (code: number, text: string) => hasColour ? `\x1b[${code}m${text}\x1b[0m` : text;
  const lines: string[] = [];
  for (const [group, name] of Object.entries(GROUPS) as [Group, string][]) {
    const own = results.filter((result) => result.group === group);
    if (own.length === 0) continue;
    lines.push(paint(BOLD, `${group}  ${name}`));
    for (const { id, title, subject, verdict, evidence, remedy } of own) {
      const about = subject === undefined ? title : `${title} (${subject})`;
      lines.push(`  ${paint(COLOURS[verdict], verdict)}  ${id}  ${about}: ${evidence}`);
      if (remedy !== undefined) lines.push(`${INDENT}→ ${remedy}`);
    }
    lines.push("");
  }
  const { pass, warn, fail, skip } = summarize(results);
  const worst: Verdict = fail > 0 ? "FAIL" : warn > 0 ? "WARN" : "PASS";
  const counts = `${pass} passed, ${plural(warn, "warning")}, ${plural(fail, "failure")}, ` +
    `${skip} skipped`;
  lines.push(`${paint(COLOURS[worst], counts)}, in ${(ms / 1000).toFixed(1)} s`);
  return `${lines.join("\n")}\n`;
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** What is told beside the results. */
export interface JsonFrame {
  /** The program's version. */
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Words results for programs, as docs/doctor.md has it. */
export function formatJson(results: readonly Result[], { version, now }: JsonFrame): string {
  const report = {
    version,
    generatedAt: new Date(now).toISOString(),
    summary: summarize(results),
    checks: results.map(({ id, group, title, subject, verdict, evidence, remedy, ms }) => ({
      id,
      group,
      title,
      subject,
      verdict,
      evidence,
      remedy,
      ms,
    })),
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}

/**
 * Words how far it is, for a line that is written over: `[12/40] C1 example.org`.
 *
 * @param columns The terminal's width; the line stays below it.
 */
export function formatProgress(
  { id, title }: Pick<Result, "id" | "title">,
  done: number,
  total: number,
  columns: number,
): string {
  return `[${done}/${total}] ${id} ${title}`.slice(0, Math.max(columns - 1, 1));
}
