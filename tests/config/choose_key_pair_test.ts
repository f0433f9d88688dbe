import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { chooseKeyPair, type KeySources } from "../../lib/config/choose_key_pair.ts";
import { Findings } from "../../lib/config/findings.ts";
import { Secret } from "../../lib/secret.ts";

const LONG = "a-secret-of-thirty-two-characters!";
const LIVEKIT_KEY = "a";
const LIVEKIT_SECRET = new Secret(LONG);

function pairs(...keys: string[]): ReadonlyMap<string, string> {
  return new Map(keys.map((key) => [key, `${LONG} of ${key}`]));
}

function file(...keys: string[]): { kind: "pairs"; pairs: ReadonlyMap<string, string> } {
  return { kind: "pairs", pairs: pairs(...keys) };
}

const CHOICES: { name: string; values: KeySources; key: string; secret: string }[] = [
  { name: "single values", values: { LIVEKIT_KEY, LIVEKIT_SECRET }, key: "a", secret: LONG },
  {
    name: "a file's only pair over single values",
    values: { LIVEKIT_KEY, LIVEKIT_SECRET, LIVEKIT_KEY_FILE: file("b") },
    key: "b",
    secret: `${LONG} of b`,
  },
  {
    name: "the pair of a file that the key names",
    values: { LIVEKIT_KEY, LIVEKIT_KEY_FILE: file("b", "a", "c") },
    key: "a",
    secret: `${LONG} of a`,
  },
  {
    name: "the key of an old key file over the single value",
    values: { LIVEKIT_KEY, LIVEKIT_SECRET, LIVEKIT_KEY_FILE: { kind: "key", key: "b" } },
    key: "b",
    secret: LONG,
  },
  {
    name: "LiveKit's own pairs when nothing else is there",
    values: { LIVEKIT_KEYS: pairs("b") },
    key: "b",
    secret: `${LONG} of b`,
  },
  {
    name: "the secret of LiveKit's own pairs for a single key",
    values: { LIVEKIT_KEY, LIVEKIT_KEYS: pairs("b", "a") },
    key: "a",
    secret: `${LONG} of a`,
  },
  {
    name: "the key of LiveKit's own pairs for a single secret",
    values: { LIVEKIT_SECRET, LIVEKIT_KEYS: pairs("b") },
    key: "b",
    secret: LONG,
  },
  {
    name: "single values over LiveKit's own pairs",
    values: { LIVEKIT_KEY, LIVEKIT_SECRET, LIVEKIT_KEYS: pairs("b", "c") },
    key: "a",
    secret: LONG,
  },
];
for (const { name, values, key, secret } of CHOICES) {
  Deno.test(`chooseKeyPair() takes ${name}`, () => {
    const findings = new Findings();
    const chosen = chooseKeyPair(values, findings);
    assertEquals([chosen?.key, chosen?.secret.reveal()], [key, secret]);
    assertEquals(findings.faults, []);
  });
}

const REFUSALS: { name: string; values: KeySources; variables: string[]; says: string }[] = [
  { name: "nothing", values: {}, variables: ["LIVEKIT_KEY", "LIVEKIT_SECRET"], says: "not set" },
  { name: "no secret", values: { LIVEKIT_KEY }, variables: ["LIVEKIT_SECRET"], says: "not set" },
  { name: "no key", values: { LIVEKIT_SECRET }, variables: ["LIVEKIT_KEY"], says: "not set" },
  {
    name: "several pairs and no key",
    values: { LIVEKIT_KEY_FILE: file("a", "b") },
    variables: ["LIVEKIT_KEY_FILE"],
    says: "holds 2 keys: name one of them in LIVEKIT_KEY",
  },
  {
    name: "several pairs and another key",
    values: { LIVEKIT_KEY: "c", LIVEKIT_KEY_FILE: file("a", "b") },
    variables: ["LIVEKIT_KEY_FILE"],
    says: "none of them is the one that LIVEKIT_KEY names",
  },
  {
    name: "several pairs of LiveKit and no key",
    values: { LIVEKIT_SECRET, LIVEKIT_KEYS: pairs("a", "b") },
    variables: ["LIVEKIT_KEYS"],
    says: "name one of them in LIVEKIT_KEY",
  },
];
for (const { name, values, variables, says } of REFUSALS) {
  Deno.test(`chooseKeyPair() refuses ${name}`, () => {
    const findings = new Findings();
    assertEquals(chooseKeyPair(values, findings), undefined);
    assertEquals(findings.faults.map(({ variable }) => variable), variables);
    for (const { message } of findings.faults) assertStringIncludes(message, says);
  });
}

Deno.test("chooseKeyPair() says when a lone pair of another key is taken", () => {
  const findings = new Findings();
  chooseKeyPair({ LIVEKIT_KEY, LIVEKIT_KEY_FILE: file("b") }, findings);
  assertEquals(findings.warnings[0]?.variable, "LIVEKIT_KEY");
});

Deno.test("chooseKeyPair() warns about a short secret without showing it", () => {
  const findings = new Findings();
  chooseKeyPair({ LIVEKIT_KEYS: new Map([["devkey", "hunter2"]]) }, findings);
  const [warning] = findings.warnings;
  assertStringIncludes(warning!.message, "fewer than 32 characters");
  assert(!/hunter2|devkey/.test(warning!.message));
});
