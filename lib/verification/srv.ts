/** SRV records of Matrix servers: which hosts serve a name, in which order. */

import type { Clock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import type { Endpoint } from "../net/http_client.ts";

/** One SRV record, as `Deno.resolveDns()` gives it. */
export interface SrvRecord {
  /** Lower ones first. */
  readonly priority: number;
  /** Share of the traffic among records of one priority. */
  readonly weight: number;
  readonly port: number;
  /** A host name, perhaps with a dot at its end; `.` alone: the service is not offered. */
  readonly target: string;
}

/**
 * Asks DNS for the SRV records of a name.
 *
 * @returns No records where the name has none.
 * @throws {Error} When the name server failed: that says nothing about the records.
 */
export type SrvLookup = (name: string) => Promise<readonly SrvRecord[]>;

const MAX_RECORDS = 16;

/**
 * Puts records into the order in which to try them: by priority, and among
 * equals drawn by weight (RFC 2782).
 *
 * @param random A number in [0, 1), such as `Math.random`.
 * @returns At most 16 endpoints; none where the records say that the service is not offered.
 */
export function orderSrvRecords(
  records: readonly SrvRecord[],
  random: () => number,
): Endpoint[] {
  // Weight 0 goes first, so that it has a small chance, as the RFC words it.
  const left = records.filter(({ target }) => target !== "." && target !== "")
    .sort((a, b) => a.priority - b.priority || a.weight - b.weight);
  const ordered: Endpoint[] = [];
  while (left.length > 0 && ordered.length < MAX_RECORDS) {
    const equals = left.filter(({ priority }) => priority === left[0]!.priority);
    const total = equals.reduce((sum, { weight }) => sum + weight, 0);
    let draw = Math.floor(random() * (total + 1));
    const chosen = equals.find(({ weight }) => (draw -= weight) <= 0) ?? equals[0]!;
    left.splice(left.indexOf(chosen), 1);
    ordered.push({ host: chosen.target.replace(/\.$/, ""), port: chosen.port });
  }
  return ordered;
}

const LOOKUP_TIMEOUT_MS = 5_000;

/**
 * Asks the system's name servers for SRV records.
 *
 * Deno tells a failing name server apart from a name without records only when
 * it stays silent.
 *
 * @param name Absolute, whether or not there is a dot at its end.
 * @param nameServer Asked in place of the system's.
 * @returns No records where the name has none.
 * @throws {Error} When the name server failed or stayed silent for 5 s.
 */
export async function lookupSrv(
  name: string,
  clock: Clock,
  nameServer?: { ipAddr: string; port: number },
): Promise<readonly SrvRecord[]> {
  const abort = new AbortController();
  const late = () => {
    abort.abort();
    return new Error(`no answer in ${LOOKUP_TIMEOUT_MS / 1000} s`);
  };
  // Without the dot, search domains would be tried, in Kubernetes even before the name itself.
  const absolute = name.endsWith(".") ? name : `${name}.`;
  const options = { signal: abort.signal, ...(nameServer && { nameServer }) };
  try {
    const looking = Deno.resolveDns(absolute, "SRV", options);
    return await withDeadline(looking, LOOKUP_TIMEOUT_MS, clock, late);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
