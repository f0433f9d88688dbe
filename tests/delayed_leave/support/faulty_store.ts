import type { Clock } from "../../../lib/clock.ts";
import { type JobStore, StoreError } from "../../../lib/delayed_leave/store.ts";

/**
 * What becomes of writes: `refusing` fails them at once, `hanging` after 3 s without
 * having written, `mute` after 3 s although it has written.
 */
export type StoreMode = "well" | "refusing" | "hanging" | "mute";

/** A real store in front of which things go wrong. */
export interface FaultyStore extends JobStore {
  /** Calls of the real store under way. */
  readonly calls: number;
  /** The process has died: nothing of it is written any more, and others can have the place. */
  kill(): Promise<void>;
}

const TIMEOUT_MS = 3_000;

/** Puts faults in front of a store; `mode` is asked before each write. */
export function createFaultyStore(
  store: JobStore,
  mode: () => StoreMode,
  clock: Clock,
): FaultyStore {
  let calls = 0;
  let isDead = false;

  async function count<T>(call: Promise<T>): Promise<T> {
    calls++;
    try {
      return await call;
    } finally {
      calls--;
    }
  }

  function never(): Promise<never> {
    return new Promise(() => {});
  }

  function timeOut(): Promise<never> {
    return new Promise((_resolve, reject) =>
      clock.after(TIMEOUT_MS, () => reject(new StoreError("http", "no answer in time")))
    );
  }

  return {
    start: (listener) => count(store.start(listener)),
    async write(changes) {
      if (isDead) return await never();
      const now = mode();
      if (now === "refusing") throw new StoreError("tcp", "no connection");
      if (now === "hanging") return await timeOut();
      const results = await count(store.write(changes));
      if (isDead) return await never();
      return now === "mute" ? await timeOut() : results;
    },
    pass: (event) => count(store.pass(event)),
    mayAct: (act) => !isDead && store.mayAct(act),
    fallsToThis: (task) => store.fallsToThis(task),
    close: () => count(store.close()),
    get calls() {
      return calls;
    },
    async kill() {
      isDead = true;
      await store.close();
    },
  };
}
