import { assertEquals, assertStringIncludes } from "@std/assert";
import { checkTogether } from "../../lib/config/check_together.ts";
import { Findings } from "../../lib/config/findings.ts";
import { parseListenAddress } from "../../lib/config/parse/parse_listen_address.ts";
import { openSources } from "../../lib/config/sources/sources.ts";
import type { Values } from "../../lib/config/variables/variables.ts";
import { Secret } from "../../lib/secret.ts";

const MINIMUM: Partial<Values> = {
  LIVEKIT_URL: "wss://sfu",
  LIVEKIT_FULL_ACCESS_HOMESERVERS: ["example.org"],
};

function check(values: Partial<Values>, env: Record<string, string> = {}): Findings {
  const findings = new Findings();
  const sources = openSources({ env, readFile: () => "" });
  checkTogether({ ...MINIMUM, ...values }, sources, findings);
  return findings;
}

const secret = new Secret("x");
const HALVES: { name: string; values: Partial<Values>; faults: string[] }[] = [
  { name: "nothing", values: {}, faults: [] },
  {
    name: "a previous key alone",
    values: { LIVEKIT_PREVIOUS_KEY: "a" },
    faults: ["LIVEKIT_PREVIOUS_SECRET"],
  },
  {
    name: "a previous secret alone",
    values: { LIVEKIT_PREVIOUS_SECRET: secret },
    faults: ["LIVEKIT_PREVIOUS_KEY"],
  },
];
for (const { name, values, faults } of HALVES) {
  Deno.test(`checkTogether() judges ${name}`, () => {
    assertEquals(check(values).faults.map(({ variable }) => variable), faults);
  });
}

const PORTS = [
  { bind: ":8080", port: "8080", isFault: false },
  { bind: "127.0.0.1:8080", port: "8080", isFault: false },
  { bind: ":8080", port: "8081", isFault: true },
  { bind: "unix:/run/a.sock", port: "8080", isFault: true },
  { bind: ":8080", port: "x", isFault: true },
  { bind: ":8080", port: "tcp://10.0.0.1:8081", isFault: false },
];
for (const { bind, port, isFault } of PORTS) {
  for (const name of ["LIVEKIT_JWT_PORT", "LK_JWT_PORT"]) {
    Deno.test(`checkTogether() ${isFault ? "refuses" : "accepts"} ${name} ${port} beside ${bind}`, () => {
      const { faults } = check(
        { LIVEKIT_JWT_BIND: parseListenAddress(bind) },
        { LIVEKIT_JWT_BIND: bind, [name]: port },
      );
      assertEquals(faults.map(({ variable }) => variable), isFault ? [name] : []);
    });
  }
}

const METRICS = [
  { bind: ":8080", metrics: ":8080", isFault: true },
  { bind: "unix:/a", metrics: "unix:/a", isFault: true },
  { bind: ":8080", metrics: ":9090", isFault: false },
  { bind: ":0", metrics: ":0", isFault: false },
  { bind: "unix:/a", metrics: ":8080", isFault: false },
];
for (const { bind, metrics, isFault } of METRICS) {
  Deno.test(`checkTogether() ${isFault ? "refuses" : "accepts"} metrics on ${metrics} beside ${bind}`, () => {
    const { faults } = check({
      LIVEKIT_JWT_BIND: parseListenAddress(bind),
      MATRIXRTC_METRICS_BIND: parseListenAddress(metrics),
    });
    assertEquals(faults.length, isFault ? 1 : 0);
  });
}

Deno.test("checkTogether() warns about a Redis password without a Redis", () => {
  const [warning] = check({ LIVEKIT_REDIS_PASSWORD: secret }).warnings;
  assertStringIncludes(warning!.message, "LIVEKIT_REDIS_URL is not set");
});

Deno.test("checkTogether() asks for the SFU's address and warns about the missing list", () => {
  const findings = new Findings();
  checkTogether({}, openSources({ env: {}, readFile: () => "" }), findings);
  assertEquals(findings.faults.map(({ variable }) => variable), ["LIVEKIT_URL"]);
  assertEquals(findings.warnings.map(({ variable }) => variable), [
    "LIVEKIT_FULL_ACCESS_HOMESERVERS",
  ]);
});
