import type { JobStore } from "../../delayed_leave/store.ts";
import type { ReadyCheck } from "./ready_check.ts";

/** A store, and whether it has done what it was asked last. */
export interface WatchedStore {
  readonly store: JobStore;
  readonly isWorking: () => boolean;
}

/** Makes a store that knows how its last writing has ended. */
export function watchStore(store: JobStore): WatchedStore {
  let hasKept = true;
  return {
    isWorking: () => hasKept && store.mayAct("send"),
    store: {
      start: (listener) => store.start(listener),
      async write(changes) {
        try {
          const results = await store.write(changes);
          hasKept = true;
          return results;
        } catch (error) {
          hasKept = false;
          throw error;
        }
      },
      pass: (event) => store.pass(event),
      mayAct: (act) => store.mayAct(act),
      fallsToThis: (task) => store.fallsToThis(task),
      close: () => store.close(),
    },
  };
}

/** G4: makes the check that delayed leaves are kept; it warns, as calls go on without. */
export function createStoreCheck(isWorking: () => boolean): ReadyCheck {
  return {
    name: "delayed_leaves",
    title: "Where delayed leaves are kept",
    isLogged: true,
    run: () =>
      isWorking() ? { verdict: "PASS", evidence: "the store does what it is asked" } : {
        verdict: "WARN",
        evidence: "the store did not do what it was asked last",
        remedy: "See that Redis runs and can be reached (LIVEKIT_REDIS_URL), or that the disk of " +
          "MATRIXRTC_STATE_DIR has room and can be written to.",
      },
  };
}
