/** The checks that a running service makes on itself, with what it has in hand. */

import type { Hop } from "../../matrix/errors.ts";
import type { Finding } from "../check.ts";

/** What such a check has found. `FAIL` means that the service is of no use to anybody. */
export interface ReadyFinding extends Finding {
  /** For the log: where it ended. */
  readonly hop?: Hop;
}

/** One of them. */
export interface ReadyCheck {
  /** As `/readyz` has it. */
  readonly name: string;
  /** For people, a few words: what is looked at. */
  readonly title: string;
  /** Whether nobody is served without what it looks at; only then it may fail. */
  readonly isVital?: boolean;
  /** Whether the log has had it already, from those who noticed it first. */
  readonly isLogged?: boolean;
  /**
   * Cheap, as anybody may cause it every few seconds. The remedy is public: it names no
   * address, no server and no number of anything.
   */
  readonly run: () => Promise<ReadyFinding> | ReadyFinding;
}
