/** What a check is, and what comes of it. */

/** How a check has ended; `SKIP`: it did not apply, or could not be made from here. */
export type Verdict = "PASS" | "WARN" | "FAIL" | "SKIP";

/** What a check has found. */
export interface Finding {
  readonly verdict: Verdict;
  /** For people, one line: what was seen. Never a secret, a token or a query. */
  readonly evidence: string;
  /** For people, one line: what to do; with `WARN` and `FAIL` only, and always there. */
  readonly remedy?: string;
}

/** The groups of checks, in the order in which they are shown. */
export const GROUPS = {
  A: "Configuration",
  B: "Names, TLS, time",
  C: "Discovery",
  D: "This service through the proxy",
  E: "Homeserver",
  F: "LiveKit",
  G: "Webhook and delegation",
  H: "Media path",
  I: "Homeserver mode",
} as const;

/** A group's letter. */
export type Group = keyof typeof GROUPS;

/**
 * One check. Facts are gathered first, then judged by a pure function, which is
 * what tests take apart.
 */
export interface Check<Context> {
  /** The group's letter and a number: `C3`. */
  readonly id: `${Group}${number}`;
  /** For people, a few words: what is looked at. */
  readonly title: string;
  /** What it is about where there are several: a server name, a host. */
  readonly subject?: string;
  /** Milliseconds, for a check that needs longer than others. */
  readonly timeoutMs?: number;
  /**
   * Makes the check. What it throws becomes `FAIL` with the error's text as
   * evidence, so what can be expected to fail is caught and judged here.
   */
  readonly run: (context: Context) => Promise<Finding> | Finding;
}

/** A check that was made. */
export interface Result extends Finding {
  readonly id: string;
  readonly group: Group;
  readonly title: string;
  readonly subject?: string;
  /** How long it took, in whole milliseconds. */
  readonly ms: number;
}
