import { assertEquals } from "@std/assert";
import { Findings } from "../../../lib/config/findings.ts";
import { openSources } from "../../../lib/config/sources/sources.ts";
import { warnAboutNames } from "../../../lib/config/sources/unknown_names.ts";

function warningsFor(env: Record<string, string>): string[] {
  const findings = new Findings();
  const sources = openSources({ env, readFile: () => "" });
  warnAboutNames(sources.names, sources, findings);
  return findings.warnings.map(({ message }) => message);
}

const MISSPELT = {
  LIVEKIT_FULL_ACCES_HOMESERVERS: "LIVEKIT_FULL_ACCESS_HOMESERVERS",
  LIVEKIT_SECERT: "LIVEKIT_SECRET",
  LIVEKIT_KEY_FROM_FIL: "LIVEKIT_KEY_FROM_FILE",
  LIVEKIT_JWT_BIN: "LIVEKIT_JWT_BIND",
  LK_JWT_BIND: "LIVEKIT_JWT_BIND",
  livekit_url: "LIVEKIT_URL",
  MATRIXRTC_TOKEN_TTL_SECOND: "MATRIXRTC_TOKEN_TTL_SECONDS",
  MATRIXRTC_REDIS_URL: "LIVEKIT_REDIS_URL",
  LIVEKIT_DELEGATION: "MATRIXRTC_DELEGATION",
};
for (const [name, nearest] of Object.entries(MISSPELT)) {
  Deno.test(`warnAboutNames() suggests ${nearest} for ${name}`, () => {
    assertEquals(warningsFor({ [name]: "x" }), [
      `${name} is not known and ignored: did you mean ${nearest}?`,
    ]);
  });
}

Deno.test("warnAboutNames() suggests nothing for a name that resembles none", () => {
  for (const name of ["LIVEKIT_TELEPHONE", "MATRIXRTC_X", "LK_"]) {
    assertEquals(warningsFor({ [name]: "x" }), [`${name} is not known and ignored.`]);
  }
});

Deno.test("warnAboutNames() says which variables cannot come from files", () => {
  assertEquals(warningsFor({ LIVEKIT_URL_FROM_FILE: "/run/url" }), [
    "LIVEKIT_URL_FROM_FILE is ignored: only secrets can be given as files.",
  ]);
});

Deno.test("warnAboutNames() keeps quiet about known, empty, foreign and Kubernetes' names", () => {
  assertEquals(
    warningsFor({
      LIVEKIT_URL: "x",
      LIVEKIT_KEY_FROM_FILE: "x",
      LK_JWT_PORT: "x",
      LIVEKIT_API_KEY: "x",
      LIVEKIT_NONSENSE: "",
      PATH: "/bin",
      LIVEKIT_SERVICE_HOST: "10.0.0.1",
      LIVEKIT_SERVICE_PORT_HTTP: "80",
      LIVEKIT_PORT: "tcp://10.0.0.1:80",
      LIVEKIT_PORT_80_TCP_ADDR: "10.0.0.1",
      LIVEKIT_JWT_SERVICE_HOST: "10.0.0.1",
    }),
    [],
  );
});

Deno.test("warnAboutNames() has one line for all settings of livekit-server", () => {
  const env = { LIVEKIT_CONFIG: "x", LIVEKIT_ROOM_AUTO_CREATE: "x", LIVEKIT_RTC_TCP_PORT: "1" };
  assertEquals(warningsFor(env), [
    "LIVEKIT_CONFIG (and LIVEKIT_ROOM_AUTO_CREATE, LIVEKIT_RTC_TCP_PORT) belongs to " +
    "livekit-server and is not read here.",
  ]);
  assertEquals(warningsFor({ LIVEKIT_REDIS_ADDRESS: "x" }), [
    "LIVEKIT_REDIS_ADDRESS belongs to livekit-server and is not read here.",
  ]);
});

Deno.test("warnAboutNames() names the replacement of HS_ALLOWLIST", () => {
  const [warning, ...others] = warningsFor({ HS_ALLOWLIST: "example.org" });
  assertEquals(others, []);
  assertEquals(warning?.match(/[A-Z]+_[A-Z_]+/g), [
    "HS_ALLOWLIST",
    "MATRIXRTC_HOMESERVERS_ALLOWED",
    "LIVEKIT_FULL_ACCESS_HOMESERVERS",
  ]);
});

Deno.test("warnAboutNames() escapes what no name should hold", () => {
  assertEquals(warningsFor({ "LIVEKIT_\u001b[31m": "x" }), [
    "LIVEKIT_\\u{1b}[31m is not known and ignored.",
  ]);
});
