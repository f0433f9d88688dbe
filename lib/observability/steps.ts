/**
 * The steps of the service's work that can be counted, timed and traced: requests
 * that it answers, and calls that it makes on the way.
 */

/** One step. */
export interface Step {
  /** `server`: a request that is answered; `client`: a call to another server. */
  readonly kind: "server" | "client";
  /** One of few names: a route, or what is called: `userinfo`, `CreateRoom`. */
  readonly name: string;
}

/**
 * What is known of a step when it has ended: of all `method` and `status`; of a
 * request `request` (its ID) and whatever the log tells of it; of a call `server`.
 * Never a token or a query.
 */
export type StepFacts = Record<string, string | number>;

/** Somebody who watches steps. */
export interface Watcher {
  /**
   * Runs an action as a step, within the step that runs already, if there is one.
   * What the action gives or throws is passed on.
   *
   * @param facts Filled by the action.
   */
  watch<T>(step: Step, facts: StepFacts, action: () => Promise<T>): Promise<T>;
}

/** Runs an action as a step; the action fills in the facts. */
export type RunStep = <T>(step: Step, action: (facts: StepFacts) => Promise<T>) => Promise<T>;

/** Where nobody watches. */
export const unwatched: RunStep = (_step, action) => action({});

/**
 * Makes steps that all the given ones watch, the first of them outermost.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type Watcher, watchedBy } from "./steps.ts";
 *
 * const seen: unknown[] = [];
 * const watcher: Watcher = {
 *   async watch(step, facts, action) {
 *     const result = await action();
 *     seen.push(step.name, facts);
 *     return result;
 *   },
 * };
 * const runStep = watchedBy([watcher]);
 * await runStep({ kind: "client", name: "userinfo" }, (facts) => {
 *   facts.status = 200;
 *   return Promise.resolve();
 * });
 * assertEquals(seen, ["userinfo", { status: 200 }]);
 * ```
 */
export function watchedBy(watchers: readonly Watcher[]): RunStep {
  if (watchers.length === 0) return unwatched;
  return (step, action) => {
    const facts: StepFacts = {};
    return watchers.reduceRight(
      (inner, watcher) => () => watcher.watch(step, facts, inner),
      () => action(facts),
    )();
  };
}
