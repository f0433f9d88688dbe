import { assert, assertEquals, assertExists } from "@std/assert";
import { listVariables, VARIABLES } from "../../lib/config/variables/variables.ts";
import { ROOT } from "../support/service.ts";
import { readDocument } from "./support/document.ts";

const readme = await readDocument("README.md");
const known = new Map<string, (ReturnType<typeof listVariables>)[number][1]>(listVariables());
const rows = readme.rows.filter(({ columns }) => columns[0] === "variable")
  .map(({ cells, heading }) => {
    const [name, meaning, fallback] = cells.map((cell) => cell.replaceAll("`", ""));
    return { name: name!, meaning: meaning!, fallback: fallback!, heading };
  });
/** No default would do; LIVEKIT_KEY_FILE and others may stand in. */
const REQUIRED = ["LIVEKIT_URL", "LIVEKIT_KEY", "LIVEKIT_SECRET"];

Deno.test("README explains every variable once, and no other", () => {
  const named = rows.map(({ name }) => name);
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

// Where Config keeps them.
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

Deno.test("every setting that is explained is read by the code", async () => {
  const code = await sourceOutsideConfig();
  for (const [field, names] of Object.entries(FIELDS)) {
    const reads = new RegExp(
      `\\bconfig\\.${field}\\b|\\{[^{}]*\\b${field}\\b[^{}]*\\} = config\\b`,
    );
    assert(reads.test(code), `${field}: ${names}`);
  }
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
