import type { Result, Verdict } from "../../../lib/diagnosis/check.ts";
import type { Clock } from "../../../lib/clock.ts";
import { loadConfig } from "../../../lib/config/load_config.ts";
import { listChecks } from "../../../lib/diagnosis/checks.ts";
import { createDoctorContext, type DoctorOptions } from "../../../lib/diagnosis/context.ts";
import { runChecks } from "../../../lib/diagnosis/run_checks.ts";
import { createOutgoingClient } from "../../../lib/net/outgoing_client.ts";
import { readSystemTrust } from "../../../lib/net/system_trust.ts";
import { installTlsTrust } from "../../../lib/net/tls_trust.ts";
import { realClock } from "../../diagnosis/support/real_clock.ts";

/** What {@linkcode diagnose} may be told beside the variables. */
export interface DiagnoseOptions extends DoctorOptions {
  /** How far the doctor's clock is ahead; milliseconds. */
  clockAheadMs?: number;
  /** IDs of the checks to make; all unless told. */
  only?: readonly string[];
}

/**
 * Makes a diagnosis in this process: what the command `doctor` does, but for what it prints, with a
 * name server that knows `localhost` by IPv4 only, where the tests' servers are.
 */
export async function diagnose(
  env: Readonly<Record<string, string>>,
  { clockAheadMs = 0, only, ...options }: DiagnoseOptions = {},
): Promise<Result[]> {
  const loaded = loadConfig({
    env: { ...env },
    readFile: (path) => Deno.readTextFileSync(path),
  });
  const { config } = loaded;
  const clock: Clock = { ...realClock, now: () => realClock.now() + clockAheadMs };
  const trust = installTlsTrust(readSystemTrust(config), config.caFile ? [config.caFile.pem] : []);
  const lookup = (host: string) =>
    host === "localhost"
      ? Promise.resolve(["127.0.0.1"])
      : Promise.reject(Object.assign(new Error("no such name"), { code: "ENOTFOUND" }));
  const client = createOutgoingClient(config, { clock, lookup, trust });
  try {
    const context = createDoctorContext(loaded, {
      clock,
      client,
      lookup,
      lookupSrv: () => Promise.resolve([]),
      trust,
      random: Math.random,
    }, options);
    const checks = (await listChecks(context)).filter(({ id }) => only?.includes(id) ?? true);
    return await runChecks(checks, context, { clock, secrets: [config.liveKit.secret] });
  } finally {
    await client.close();
  }
}

/**
 * Finds the result of a check and holds it against what it should be.
 *
 * @throws {Error} Showing what was found.
 */
export function assertFound(
  results: readonly Result[],
  id: string,
  verdict: Verdict,
  expected: { evidence?: RegExp; remedy?: RegExp; subject?: RegExp } = {},
): void {
  const same = results.filter((result) => result.id === id);
  const fits = ({ verdict: found, evidence, remedy = "", subject = "" }: Result) =>
    found === verdict && (expected.evidence ?? /^/).test(evidence) &&
    (expected.remedy ?? /^/).test(remedy) && (expected.subject ?? /^/).test(subject);
  if (same.some(fits)) return;
  const wanted = `${id} ${verdict} ${Object.values(expected).join(" ")}`;
  throw new Error(`Wanted ${wanted}, found\n${formatResults(same.length ? same : results)}`);
}

/** For messages: a line for each. */
export function formatResults(results: readonly Result[]): string {
  return results.map(({ id, verdict, subject, evidence, remedy }) =>
    [`${id} ${verdict}`, ...subject ? [`[${subject}]`] : [], evidence, ...remedy ? [remedy] : []]
      .join(" | ")
  ).join("\n");
}
