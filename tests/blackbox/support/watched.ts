import { basename } from "node:path";
import { assert } from "@std/assert";
import { SFU_SECRET } from "../../fakes/sfu.ts";
import { collectSecret } from "../../support/evidence.ts";
import {
  type RunningService,
  runService,
  type ServiceOptions,
  type ServiceResult,
  startService,
} from "../../support/service.ts";

/** Everything that the services of this test file have written, commands included. */
const outputs: (() => string)[] = [];
const secrets = new Set([SFU_SECRET]);

/** Marks a text that no service may ever write. */
export function secret(text: string): string {
  secrets.add(text);
  collectSecret(`secret of ${basename(Deno.mainModule)}`, text);
  return text;
}

/** {@linkcode startService}, under the watch of {@linkcode testSecrets}. */
export async function start(options: ServiceOptions): Promise<RunningService> {
  let output = "";
  outputs.push(() => output);
  return await startService({ ...options, onOutput: (text) => void (output += text) });
}

/** {@linkcode runService}, under the watch of {@linkcode testSecrets}. */
export async function run(options: ServiceOptions): Promise<ServiceResult> {
  const result = await runService(options);
  outputs.push(() => result.stdout + result.stderr);
  return result;
}

/**
 * Tests of a process that outlives a single test: Deno would take the reading of its output for
 * something that a test has left behind.
 */
export function test(name: string, fn: (t: Deno.TestContext) => void | Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

/** The last test of a file: nothing secret is in any output so far. */
export function testSecrets(): void {
  test("the service has shown no secret, token or JWT in all these tests", () => {
    assert(outputs.length > 0);
    for (const output of outputs) {
      const text = output();
      for (const word of secrets) assert(!text.includes(word), `"${word}" is in:\n${text}`);
      assert(!/eyJ[\w-]{8,}\./.test(text), `A JWT is in:\n${text}`);
      assert(!/access_token=/.test(text), `A query is in:\n${text}`);
    }
  });
}
