import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { checkTogether } from "../../lib/config/check_together.ts";
import type { Finding } from "../../lib/config/config_error.ts";
import { Findings } from "../../lib/config/findings.ts";
import { openSources } from "../../lib/config/sources/sources.ts";
import type { Values } from "../../lib/config/variables/variables.ts";
import { Secret } from "../../lib/secret.ts";

const MINIMUM: Partial<Values> = {
  LIVEKIT_URL: "wss://sfu",
  LIVEKIT_FULL_ACCESS_HOMESERVERS: ["example.org"],
};
const asToken = new Secret("hunter2-as");
const hsToken = new Secret("hunter2-hs");
const TOKENS = { LIVEKIT_AS_TOKEN: asToken, LIVEKIT_HS_TOKEN: hsToken };
const FILE = { LIVEKIT_AS_REGISTRATION_FILE: { asToken, hsToken } };
const NAME = { LIVEKIT_HS_SERVER_NAME: "example.org" };

function check(
  values: Partial<Values>,
  { env = {}, faulty = [] }: { env?: Record<string, string>; faulty?: readonly string[] } = {},
): { faults: readonly Finding[]; warnings: readonly Finding[] } {
  const findings = new Findings();
  for (const name of faulty) findings.fault(name, "is faulty");
  const sources = openSources({ env, readFile: () => "" });
  checkTogether(values, sources, findings);
  return { faults: findings.faults.slice(faulty.length), warnings: findings.warnings };
}

const HALVES: { name: string; values: Partial<Values>; faulty?: string[]; faults: string[] }[] = [
  { name: "none of it", values: {}, faults: [] },
  {
    name: "one token alone",
    values: { LIVEKIT_AS_TOKEN: asToken },
    faults: ["LIVEKIT_HS_TOKEN", "LIVEKIT_HS_SERVER_NAME"],
  },
  {
    name: "one token and the name",
    values: { LIVEKIT_HS_TOKEN: hsToken, ...NAME },
    faults: ["LIVEKIT_AS_TOKEN"],
  },
  { name: "both tokens without a name", values: TOKENS, faults: ["LIVEKIT_HS_SERVER_NAME"] },
  { name: "a name alone", values: NAME, faults: ["LIVEKIT_AS_TOKEN", "LIVEKIT_HS_TOKEN"] },
  { name: "both tokens and the name", values: { ...TOKENS, ...NAME }, faults: [] },
  { name: "a file and the name", values: { ...FILE, ...NAME }, faults: [] },
  { name: "a file alone", values: FILE, faults: ["LIVEKIT_HS_SERVER_NAME"] },
  {
    name: "a file and one token",
    values: { ...FILE, ...NAME, LIVEKIT_AS_TOKEN: asToken },
    faults: [],
  },
  {
    name: "a faulty file",
    values: {},
    faulty: ["LIVEKIT_AS_REGISTRATION_FILE"],
    faults: ["LIVEKIT_HS_SERVER_NAME"],
  },
  {
    name: "a faulty token beside the rest",
    values: { LIVEKIT_HS_TOKEN: hsToken, ...NAME },
    faulty: ["LIVEKIT_AS_TOKEN"],
    faults: [],
  },
];
for (const { name, values, faulty = [], faults } of HALVES) {
  Deno.test(`checkHomeserverMode() judges ${name}`, () => {
    const found = check({ ...MINIMUM, ...values }, { faulty });
    assertEquals(found.faults.map(({ variable }) => variable), faults);
    for (const { message } of found.faults) {
      assertStringIncludes(message, "LIVEKIT_AS_REGISTRATION_FILE");
    }
    assertEquals(found.warnings, []);
  });
}

Deno.test("checkHomeserverMode() tells which token the file wins over", () => {
  const values = { ...MINIMUM, ...FILE, ...NAME, ...TOKENS };
  assertEquals(check(values).warnings, []);
  const { warnings } = check({ ...values, LIVEKIT_HS_TOKEN: new Secret("hunter2-other") });
  assertEquals(warnings.map(({ variable }) => variable), ["LIVEKIT_HS_TOKEN"]);
  assert(!warnings[0]!.message.includes("hunter2"));
});

Deno.test("checkHomeserverMode() warns of one token in both places", () => {
  const one = { LIVEKIT_AS_TOKEN: asToken, LIVEKIT_HS_TOKEN: new Secret(asToken.reveal()) };
  const file = { LIVEKIT_AS_REGISTRATION_FILE: { asToken, hsToken: asToken } };
  for (const values of [one, file]) {
    const { faults, warnings } = check({ ...MINIMUM, ...NAME, ...values });
    assertEquals([faults.length, warnings.length], [0, 1]);
    assertStringIncludes(warnings[0]!.message, "could act for all of its users");
    assert(!warnings[0]!.message.includes("hunter2"));
  }
});

for (
  const name of ["MATRIXRTC_MEMBERSHIP_CHECK_SECONDS", "LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS"]
) {
  Deno.test(`checkHomeserverMode() says that ${name} alone changes nothing`, () => {
    const env = { [name]: "30" };
    assertEquals(check(MINIMUM, { env }).warnings.map(({ variable }) => variable), [name]);
    assertEquals(check({ ...MINIMUM, ...FILE, ...NAME }, { env }).warnings, []);
    assertEquals(check(MINIMUM, { env, faulty: ["LIVEKIT_HS_SERVER_NAME"] }).warnings, []);
  });
}

Deno.test("checkTogether() asks homeserver mode for full access because of older clients only", () => {
  const [warning, ...others] = check({ LIVEKIT_URL: "wss://sfu", ...FILE, ...NAME }).warnings;
  assertEquals(others, []);
  assertEquals(warning!.variable, "LIVEKIT_FULL_ACCESS_HOMESERVERS");
  assertStringIncludes(warning!.message, "clients that do not ask their homeserver");
  assertStringIncludes(warning!.message, '"example.org"');
});

Deno.test("checkTogether() says what participants' own metadata means for bans", () => {
  const own = { ...MINIMUM, ...FILE, ...NAME, LIVEKIT_CAN_UPDATE_OWN_METADATA: true };
  const variablesOf = (values: Partial<Values>) =>
    check(values).warnings.map(({ variable }) => variable);
  assertEquals(variablesOf(own), ["LIVEKIT_CAN_UPDATE_OWN_METADATA"]);
  assertEquals(variablesOf({ ...own, LIVEKIT_CAN_UPDATE_OWN_METADATA: false }), []);
  // Without homeserver mode, or without the check, nobody is removed anyway.
  assertEquals(variablesOf({ ...MINIMUM, LIVEKIT_CAN_UPDATE_OWN_METADATA: true }), []);
  assertEquals(variablesOf({ ...own, MATRIXRTC_MEMBERSHIP_CHECK_SECONDS: 0 }), []);
});
