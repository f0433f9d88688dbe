// The last step of .ci/run: nothing that the service has written in all the tests before shows any of
// the secrets that they gave it. Not part of `deno task test`, which leaves nothing behind to look at.

import { join } from "node:path";
import { assert, assertEquals } from "@std/assert";
import { EVIDENCE_VARIABLE, OUTPUTS, SECRETS } from "../support/evidence.ts";
import { createLeakFinder, isDistinct, type KnownSecret } from "./leaks.ts";

/** A check that finds nothing to check proves nothing: less than this is a fault of the collecting. */
const EXPECTED = {
  outputs: 450,
  /** Outputs that tell of a service that listens. */
  services: 220,
  secrets: 600,
  kinds: [
    "LIVEKIT_AS_TOKEN",
    "LIVEKIT_HS_TOKEN",
    "LIVEKIT_SECRET",
    "OpenID token",
    "Redis password",
    "access token",
    "as_token",
    "delay ID",
    "hs_token",
  ],
};

const folder = Deno.env.get(EVIDENCE_VARIABLE) ?? "";
const outputs = filesIn(OUTPUTS);
const secrets = filesIn(SECRETS).flatMap(({ text }) => text.trim().split("\n")).map((line) => {
  const [kind, secret] = JSON.parse(line);
  return { kind, secret } as KnownSecret;
}).filter(isDistinct);

Deno.test("the outputs of the whole run are here, and so are the secrets", () => {
  const services = outputs.filter(({ text }) => text.includes("listening on ")).length;
  const kinds = new Set(secrets.map(({ kind }) => kind));
  console.log(
    `${outputs.length} outputs, ${services} of them of services, ` +
      `${outputs.reduce((sum, { text }) => sum + text.length, 0)} characters; ` +
      `${secrets.length} secrets: ${[...kinds].sort().join(", ")}`,
  );
  assert(outputs.length >= EXPECTED.outputs, `only ${outputs.length} outputs`);
  assert(services >= EXPECTED.services, `only ${services} outputs of services`);
  assert(secrets.length >= EXPECTED.secrets, `only ${secrets.length} secrets`);
  const missing = EXPECTED.kinds.filter((kind) => ![...kinds].some((known) => known === kind));
  assertEquals(missing, [], "kinds of secrets that no test has used");
});

Deno.test("no output of the whole run shows a secret, token or JWT", () => {
  const find = createLeakFinder(secrets);
  const leaks = outputs.flatMap(({ name, text }) => find(name, text));
  assertEquals(leaks.map(({ output, kind }) => `${output} shows: ${kind}`), []);
});

function filesIn(part: string): { name: string; text: string }[] {
  if (folder === "") throw new Error(`${EVIDENCE_VARIABLE} must name the folder of the run`);
  const path = join(folder, part);
  return [...Deno.readDirSync(path)]
    .map(({ name }) => ({ name, text: Deno.readTextFileSync(join(path, name)) }));
}
