/**
 * What a run of tests leaves behind for the check that no output shows a secret, see
 * `tests/observability/whole_run.ts`. Without the folder nothing is kept.
 */

import { basename, join } from "node:path";

/** The variable that names the folder; `.ci/run` sets it. */
export const EVIDENCE_VARIABLE = "MATRIXRTC_AUTH_TEST_OUTPUT";
/** Below the folder: a file for each process of the service and each log of its parts. */
export const OUTPUTS = "outputs";
/** Below the folder: files with a JSON array of kind and secret on each line. */
export const SECRETS = "secrets";

const folder = Deno.env.get(EVIDENCE_VARIABLE) || undefined;
// Threads of one process run test files side by side, so that its ID would not do.
const id = crypto.randomUUID().slice(0, 8);
const seen = new Set<string>();
let outputs = 0;

/**
 * Makes the function that takes what a process of the service writes, as it comes.
 *
 * @param what For people, as part of a file's name: `service`, `log`.
 */
export function collectOutput(what: string): (text: string) => void {
  if (folder === undefined) return () => {};
  const path = nextOutput(folder, what);
  return (text) => Deno.writeTextFileSync(path, text, { append: true });
}

/** The same for what a process has written to a file. */
export async function collectFile(what: string, path: string): Promise<void> {
  if (folder !== undefined) await Deno.copyFile(path, nextOutput(folder, what));
}

/**
 * Marks a text that no output may show.
 *
 * @param kind For people, such as `delay ID`: the check names it in place of the secret.
 */
export function collectSecret(kind: string, secret: string): void {
  if (folder === undefined || seen.has(secret)) return;
  seen.add(secret);
  const line = `${JSON.stringify([kind, secret])}\n`;
  Deno.writeTextFileSync(join(partOf(folder, SECRETS), `${id}.jsonl`), line, { append: true });
}

/** Variables that hold a secret, and those that hold a URL with a password in it. */
const SECRET_VARIABLE = /(?:_SECRET|_TOKEN|_PASSWORD|^LIVEKIT_KEYS)$/;
const URL_VARIABLE = /(?:_PROXY|_REDIS_URL)$/i;

/** {@linkcode collectSecret} for what an environment of the service holds. */
export function collectSecretsOf(env: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(env)) {
    if (SECRET_VARIABLE.test(name)) collectSecret(name, value);
    const password = URL_VARIABLE.test(name) ? URL.parse(value)?.password : undefined;
    if (password) collectSecret(`password in ${name}`, password);
  }
}

function partOf(folder: string, part: string): string {
  const path = join(folder, part);
  Deno.mkdirSync(path, { recursive: true });
  return path;
}

function nextOutput(folder: string, what: string): string {
  const testFile = basename(Deno.mainModule).replace(/\.ts$/, "");
  return join(partOf(folder, OUTPUTS), `${testFile}-${what}-${id}-${++outputs}.log`);
}
