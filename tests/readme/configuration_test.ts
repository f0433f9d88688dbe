import { assert, assertEquals, assertExists } from "@std/assert";
import { listVariables, VARIABLES } from "../../lib/config/variables/variables.ts";
import { ROOT } from "../support/service.ts";
import { readDocument } from "./support/document.ts";
import { WITHOUT_EFFECT as UNUSED } from "../../lib/config/without_effect.ts";

const readme = await readDocument("README.md");
const known = new Map<string, (ReturnType<typeof listVariables>)[number][1]>(listVariables());
const rows = readme.rows.filter(({ columns }) => columns[0] === "variable")
  .map(({ cells, heading }) => {
    const [name, meaning, fallback] = cells.map((cell) => cell.replaceAll("`", ""));
    return { name: name!, meaning: meaning!, fallback: fallback!, heading };
  });
const HEADING = "Accepted, without effect in this version";
const withoutEffect: readonly string[] = sectionOf(HEADING).match(/\b[A-Z]+(?:_[A-Z]+)+\b/g) ?? [];
/** No default would do; LIVEKIT_KEY_FILE and others may stand in. */
const REQUIRED = ["LIVEKIT_URL", "LIVEKIT_KEY", "LIVEKIT_SECRET"];

function sectionOf(heading: string): string {
  const start = readme.text.indexOf(`# ${heading}\n`);
  assert(start >= 0, heading);
  const end = readme.text.indexOf("\n#", start);
  return readme.text.slice(start + heading.length, end);
}

Deno.test("README explains every variable once, and no other", () => {
  const named = [...rows.map(({ name }) => name), ...withoutEffect];
  assertEquals(named.sort(), Object.keys(VARIABLES).sort());
});

for (const { name, meaning, fallback, heading } of rows) {
  Deno.test(`README gives ${name} its default and its group`, () => {
    const variable = known.get(name);
    assertExists(variable);
    const expected = REQUIRED.includes(name)
      ? "required"
      : variable.default ?? variable.unset ?? "none";
    assertEquals(fallback, expected);
    assert(meaning !== "");
    assertEquals(heading, variable.group);
  });
}

Deno.test("README names no variable that does not exist", () => {
  const names = new Set(
    listVariables().flatMap(([name, { secret, otherNames }]) => [
      name,
      ...(secret === "value" ? [`${name}_FROM_FILE`] : []),
      ...(otherNames ?? []).map((other) => other.name),
    ]),
  );
  // Read by the tests and tools, not by the service.
  names.add("MATRIXRTC_AUTH_BINARY");
  const mentioned = readme.text.match(/\b(?:LIVEKIT|MATRIXRTC|LK)_[A-Z_]+\b/g) ?? [];
  assertEquals(mentioned.filter((name) => !names.has(name)), []);
});

// Where Config keeps them: once the service reads one of these, the guide has to change.
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  rateLimit: ["MATRIXRTC_RATE_LIMIT_PER_CLIENT", "MATRIXRTC_RATE_LIMIT_PER_SERVER"],
  trustedProxies: ["MATRIXRTC_TRUSTED_PROXIES"],
  outgoingProxy: ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"],
  delegation: [
    "MATRIXRTC_DELEGATION",
    "MATRIXRTC_DELEGATE_FOR",
    "MATRIXRTC_STATE_DIR",
    "LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS",
    "LIVEKIT_REDIS_URL",
    "LIVEKIT_REDIS_PASSWORD",
  ],
  membershipCheckSeconds: ["MATRIXRTC_MEMBERSHIP_CHECK_SECONDS"],
  csApiUrlOverrides: ["LIVEKIT_CS_API_URL_OVERRIDES"],
  appService: [
    "LIVEKIT_AS_TOKEN",
    "LIVEKIT_HS_TOKEN",
    "LIVEKIT_HS_SERVER_NAME",
    "LIVEKIT_AS_REGISTRATION_FILE",
  ],
  metricsListen: ["MATRIXRTC_METRICS_BIND"],
};

Deno.test("README says that a variable has no effect exactly while the code does not read it", async () => {
  const code = await sourceOutsideConfig();
  for (const [field, names] of Object.entries(FIELDS)) {
    const isRead = new RegExp(
      `\\bconfig\\.${field}\\b|\\{[^{}]*\\b${field}\\b[^{}]*\\} = config\\b`,
    )
      .test(code);
    for (const name of names) assertEquals([name, withoutEffect.includes(name)], [name, !isRead]);
  }
  const watched = Object.values(FIELDS).flat();
  assertEquals(withoutEffect.filter((name) => !watched.includes(name)), []);
});

Deno.test("README and the service's warning name the same variables as without effect", () => {
  assertEquals([...withoutEffect].sort(), [...UNUSED].sort());
});

async function sourceOutsideConfig(): Promise<string> {
  const texts: string[] = [await Deno.readTextFile(`${ROOT}/main.ts`)];
  const visit = async (folder: string) => {
    for await (const { name, isDirectory } of Deno.readDir(`${ROOT}/${folder}`)) {
      const path = `${folder}/${name}`;
      if (isDirectory && path !== "lib/config") await visit(path);
      else if (name.endsWith(".ts")) texts.push(await Deno.readTextFile(`${ROOT}/${path}`));
    }
  };
  await visit("lib");
  return texts.join("\n");
}
