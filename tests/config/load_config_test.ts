import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigError, type Finding } from "../../lib/config/config_error.ts";
import { loadConfig } from "../../lib/config/load_config.ts";
import { listVariables } from "../../lib/config/variables/variables.ts";

const URL_AND_KEYS = {
  LIVEKIT_URL: "wss://sfu.example.org",
  LIVEKIT_KEY: "devkey",
  LIVEKIT_SECRET: "a-secret-of-thirty-two-characters!",
};
const COMPLETE = { ...URL_AND_KEYS, LIVEKIT_FULL_ACCESS_HOMESERVERS: "example.org" };

function load(
  env: Record<string, string>,
  files: Record<string, string | Error> = {},
  envFile?: string,
) {
  return loadConfig({
    env,
    ...(envFile === undefined ? {} : { envFile: { path: "/etc/auth.env", text: envFile } }),
    readFile(path) {
      const file = files[path] ?? new Deno.errors.NotFound(`No such file: readfile '${path}'`);
      if (typeof file !== "string") throw file;
      return file;
    },
  });
}

function faultsOf(
  env: Record<string, string>,
  files: Record<string, string | Error> = {},
): readonly Finding[] {
  return assertThrows(() => load(env, files), ConfigError).faults;
}

function names(findings: readonly Finding[]): string[] {
  return findings.map(({ variable }) => variable);
}

function messages(findings: readonly Finding[]): string {
  return findings.map(({ message }) => message).join("\n");
}

function sourceOf(loaded: ReturnType<typeof load>, name: string): string | undefined {
  return loaded.settings.find((setting) => setting.name === name)?.source;
}

Deno.test("loadConfig() fills in the defaults of the design", () => {
  const { config, warnings } = load(COMPLETE);
  const { liveKit, trustedProxies, federationUrlOverrides, csApiUrlOverrides, ...rest } = config;
  assertEquals(liveKit.secret.reveal(), COMPLETE.LIVEKIT_SECRET);
  assertEquals([liveKit.url, liveKit.apiUrl, liveKit.key, liveKit.previous], [
    "wss://sfu.example.org",
    "https://sfu.example.org",
    "devkey",
    undefined,
  ]);
  assert(trustedProxies.includes("127.0.0.0/8") && trustedProxies.includes("::1/128"));
  assertEquals([federationUrlOverrides.size, csApiUrlOverrides.size], [0, 0]);
  assertEquals(rest, {
    listen: { kind: "tcp", port: 8080 },
    fullAccess: ["example.org"],
    canUpdateOwnMetadata: false,
    tokenTtlSeconds: 3600,
    homeservers: { blocked: [] },
    allowNetworks: [],
    sslCertDirs: [],
    insecureSkipVerifyTls: false,
    outgoingProxy: { except: [] },
    log: { level: "info", format: "text", identifiers: "hashed" },
    rateLimit: { perClient: { cost: 600, seconds: 60 }, perServer: { count: 600, seconds: 60 } },
    shutdownSeconds: 8,
    delegation: { mode: "auto", delegateFor: "full-access", sanityCheckIntervalSeconds: 30 },
    membershipCheckSeconds: 60,
  });
  assertEquals(warnings, []);
});

Deno.test("loadConfig() reads every variable", () => {
  const { config } = load({
    ...COMPLETE,
    LIVEKIT_INTERNAL_URL: "ws://livekit:7880/a/",
    LIVEKIT_PREVIOUS_KEY: "old",
    LIVEKIT_PREVIOUS_SECRET: "an-old-secret-of-over-thirty-two-chars",
    LIVEKIT_JWT_BIND: "unix:/run/a.sock",
    LIVEKIT_CAN_UPDATE_OWN_METADATA: "true",
    LIVEKIT_CS_API_URL_OVERRIDES: "example.org=synapse:8008",
    LIVEKIT_REDIS_URL: "redis://cache",
    LIVEKIT_REDIS_PASSWORD: "pass",
    LIVEKIT_AS_TOKEN: "the-as-token-of-the-tests",
    LIVEKIT_HS_TOKEN: "the-hs-token-of-the-tests",
    LIVEKIT_HS_SERVER_NAME: "example.org",
    LIVEKIT_LOG_LEVEL: "warn",
    LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS: "0",
    MATRIXRTC_MEMBERSHIP_CHECK_SECONDS: "1",
    MATRIXRTC_FEDERATION_URL_OVERRIDES: "example.org=http://synapse:8008",
    MATRIXRTC_HOMESERVERS_ALLOWED: "*.example.org",
    MATRIXRTC_HOMESERVERS_BLOCKED: "bad.example",
    MATRIXRTC_ALLOW_NETWORKS: "10.1.0.0/8",
    MATRIXRTC_TRUSTED_PROXIES: "none",
    MATRIXRTC_RATE_LIMIT_PER_CLIENT: "off",
    MATRIXRTC_RATE_LIMIT_PER_SERVER: "5/1",
    MATRIXRTC_METRICS_BIND: "[::1]:9090",
    MATRIXRTC_STATE_DIR: "/var/lib/a/",
    MATRIXRTC_DELEGATION: "on",
    MATRIXRTC_DELEGATE_FOR: "all",
    MATRIXRTC_LOG_FORMAT: "json",
    MATRIXRTC_LOG_IDENTIFIERS: "plain",
    MATRIXRTC_SHUTDOWN_SECONDS: "20",
    MATRIXRTC_TOKEN_TTL_SECONDS: "600",
    https_proxy: "http://proxy:3128",
    NO_PROXY: "localhost,.lan",
    SSL_CERT_DIR: "/etc/certs",
  });
  assertEquals([config.liveKit.url, config.liveKit.apiUrl], [
    COMPLETE.LIVEKIT_URL,
    "http://livekit:7880/a",
  ]);
  assertEquals(config.liveKit.previous?.key, "old");
  assertEquals(config.listen, { kind: "unix", path: "/run/a.sock" });
  assertEquals(config.canUpdateOwnMetadata, true);
  assertEquals(config.csApiUrlOverrides.get("example.org"), "https://synapse:8008");
  assertEquals(config.federationUrlOverrides.get("example.org"), "http://synapse:8008");
  assertEquals(config.homeservers, { allowed: ["*.example.org"], blocked: ["bad.example"] });
  assertEquals(config.allowNetworks, ["10.0.0.0/8"]);
  assertEquals(config.trustedProxies, []);
  assertEquals(config.rateLimit, { perServer: { count: 5, seconds: 1 } });
  assertEquals(config.metricsListen, { kind: "tcp", hostname: "::1", port: 9090 });
  assertEquals(config.delegation.redis?.url.reveal(), "redis://cache");
  assertEquals(config.delegation.redis?.password?.reveal(), "pass");
  assertEquals(config.delegation.stateDir, "/var/lib/a");
  assertEquals([config.delegation.mode, config.delegation.delegateFor], ["on", "all"]);
  assertEquals(config.delegation.sanityCheckIntervalSeconds, 0);
  assertEquals(config.appService?.asToken.reveal(), "the-as-token-of-the-tests");
  assertEquals(config.appService?.hsToken.reveal(), "the-hs-token-of-the-tests");
  assertEquals(config.appService?.serverName, "example.org");
  assertEquals(config.log, { level: "warning", format: "json", identifiers: "plain" });
  assertEquals([config.shutdownSeconds, config.tokenTtlSeconds], [20, 600]);
  assertEquals(config.membershipCheckSeconds, 1);
  assertEquals(config.outgoingProxy.https?.reveal(), "http://proxy:3128");
  assertEquals(config.outgoingProxy.except, ["localhost", ".lan"]);
  assertEquals(config.sslCertDirs, ["/etc/certs"]);
});

const FIRST_RELEASES = [
  { name: "inline values", env: { LIVEKIT_KEY: "devkey", LIVEKIT_SECRET: "secret" } },
  { name: "files", env: { LIVEKIT_KEY_FILE: "/run/key", LIVEKIT_SECRET_FILE: "/run/secret" } },
  { name: "a key file", env: { LIVEKIT_KEY_FILE: "/run/key", LIVEKIT_SECRET: "secret" } },
  { name: "a secret file", env: { LIVEKIT_KEY: "devkey", LIVEKIT_SECRET_FILE: "/run/secret" } },
];
for (const { name, env } of FIRST_RELEASES) {
  Deno.test(`loadConfig() takes the first releases' configuration with ${name}`, () => {
    const { config, warnings } = load(
      { LIVEKIT_URL: "ws://somewhere", LIVEKIT_JWT_PORT: "8090", ...env } as Record<string, string>,
      { "/run/key": "devkey\r\n", "/run/secret": " secret\n" },
    );
    assertEquals([config.liveKit.key, config.liveKit.secret.reveal()], ["devkey", "secret"]);
    assertEquals(config.liveKit.apiUrl, "http://somewhere");
    assertEquals(config.listen, { kind: "tcp", port: 8090 });
    assertEquals(config.fullAccess, []);
    assert(names(warnings).includes("LIVEKIT_FULL_ACCESS_HOMESERVERS"));
    assert(names(warnings).includes("LIVEKIT_JWT_PORT"));
  });
}

Deno.test("loadConfig() needs no port and takes the first releases' TLS switch", () => {
  const { config, warnings } = load({
    ...URL_AND_KEYS,
    LIVEKIT_INSECURE_SKIP_VERIFY_TLS: "YES_I_KNOW_WHAT_I_AM_DOING",
  });
  assertEquals(config.listen, { kind: "tcp", port: 8080 });
  assertEquals(config.insecureSkipVerifyTls, true);
  assertStringIncludes(messages(warnings), "CERTIFICATES ARE NOT VERIFIED");
});

Deno.test("loadConfig() takes only the exact phrase for the TLS switch", () => {
  for (const value of ["true", "1", "yes_i_know_what_i_am_doing", '"YES_I_KNOW_WHAT_I_AM_DOING"']) {
    const { config, warnings } = load({ ...COMPLETE, LIVEKIT_INSECURE_SKIP_VERIFY_TLS: value });
    assertEquals(config.insecureSkipVerifyTls, false);
    assertEquals(names(warnings), ["LIVEKIT_INSECURE_SKIP_VERIFY_TLS"]);
  }
});

Deno.test("loadConfig() reports all faults at once", () => {
  const faults = faultsOf({
    LIVEKIT_SECRET_FROM_FILE: "/run/none",
    LIVEKIT_JWT_PORT: "http",
    LIVEKIT_FULL_ACCESS_HOMESERVERS: "https://example.org",
    MATRIXRTC_TOKEN_TTL_SECONDS: "1h",
    MATRIXRTC_LOG_FORMAT: "xml",
    LIVEKIT_HS_TOKEN: "x",
  });
  assertEquals(
    new Set(names(faults)),
    new Set([
      ...["LIVEKIT_URL", "LIVEKIT_KEY", "LIVEKIT_SECRET_FROM_FILE", "LIVEKIT_JWT_PORT"],
      ...["LIVEKIT_FULL_ACCESS_HOMESERVERS", "MATRIXRTC_TOKEN_TTL_SECONDS", "MATRIXRTC_LOG_FORMAT"],
      ...["LIVEKIT_AS_TOKEN", "LIVEKIT_HS_SERVER_NAME"],
    ]),
  );
  for (const { variable, message } of faults) {
    assert(message.startsWith(`${variable} is `), message);
    assertStringIncludes(message, "Accepted: ");
  }
});

Deno.test("loadConfig() shows the refused value and says when quotes are left in it", () => {
  const [url] = faultsOf({ ...COMPLETE, LIVEKIT_URL: "'wss://sfu'" });
  assertStringIncludes(url!.message, `"'wss://sfu'"`);
  assertStringIncludes(url!.message, "quotation marks");
  const [ttl] = faultsOf({ ...COMPLETE, MATRIXRTC_TOKEN_TTL_SECONDS: `${"1\n".repeat(300)}x` });
  assertStringIncludes(ttl!.message, "1\\n1\\n");
  assert(!ttl!.message.includes("\n") && ttl!.message.length < 500);
});

Deno.test("loadConfig() takes an empty variable for an unset one", () => {
  const empty = Object.fromEntries(listVariables().map(([name]) => [name, " "]));
  assertEquals(load({ ...empty, ...COMPLETE }).config, load(COMPLETE).config);
});

Deno.test("loadConfig() prefers the environment to the env file", () => {
  const file = "LIVEKIT_URL=wss://other.example\nMATRIXRTC_LOG_FORMAT=json\n";
  const loaded = load(COMPLETE, {}, file);
  assertEquals(loaded.config.liveKit.url, COMPLETE.LIVEKIT_URL);
  assertEquals(loaded.config.log.format, "json");
  assertEquals(sourceOf(loaded, "LIVEKIT_URL"), "environment");
  assertEquals(sourceOf(loaded, "MATRIXRTC_LOG_FORMAT"), "env file /etc/auth.env");
  assertEquals(sourceOf(loaded, "MATRIXRTC_LOG_IDENTIFIERS"), "default");
});

Deno.test("loadConfig() tells where each secret comes from", () => {
  const loaded = load({
    LIVEKIT_URL: "wss://sfu",
    LIVEKIT_KEY_FILE: "/run/keys",
    LIVEKIT_AS_TOKEN_FROM_FILE: "/run/as",
    LIVEKIT_HS_SERVER_NAME: "example.org",
    LIVEKIT_LOCAL_HOMESERVERS: "example.org",
    CREDENTIALS_DIRECTORY: "/creds",
    STATE_DIRECTORY: "/var/lib/a:/var/lib/b",
  }, { "/run/keys": "a: b", "/run/as": "as", "/creds/LIVEKIT_HS_TOKEN": "hs\n" });
  const expected = {
    LIVEKIT_KEY: "file /run/keys (LIVEKIT_KEY_FILE)",
    LIVEKIT_SECRET: "file /run/keys (LIVEKIT_KEY_FILE)",
    LIVEKIT_AS_TOKEN: "file /run/as (LIVEKIT_AS_TOKEN_FROM_FILE)",
    LIVEKIT_HS_TOKEN: "credential LIVEKIT_HS_TOKEN",
    LIVEKIT_FULL_ACCESS_HOMESERVERS: "environment (LIVEKIT_LOCAL_HOMESERVERS)",
    MATRIXRTC_STATE_DIR: "environment (STATE_DIRECTORY)",
    LIVEKIT_JWT_BIND: "default",
  };
  for (const [name, source] of Object.entries(expected)) {
    assertEquals(sourceOf(loaded, name), source, name);
  }
  assertEquals(loaded.config.delegation.stateDir, "/var/lib/a");
  assertEquals(loaded.config.appService?.hsToken.reveal(), "hs");
});

Deno.test("loadConfig() takes tokens out of a registration file before all others", () => {
  const registration =
    "as_token: as-token-of-the-file\nhs_token: hs-token-of-the-file\nurl: null\n";
  const loaded = load({
    ...COMPLETE,
    LIVEKIT_AS_REGISTRATION_FILE: "/run/registration.yaml",
    LIVEKIT_HS_SERVER_NAME: "example.org",
    LIVEKIT_AS_TOKEN: "some-other-as-token",
    LIVEKIT_HS_TOKEN: "hs-token-of-the-file",
  }, { "/run/registration.yaml": registration });
  const { asToken, hsToken, serverName } = loaded.config.appService!;
  assertEquals([asToken.reveal(), hsToken.reveal(), serverName], [
    "as-token-of-the-file",
    "hs-token-of-the-file",
    "example.org",
  ]);
  const from = "file /run/registration.yaml (LIVEKIT_AS_REGISTRATION_FILE)";
  assertEquals(sourceOf(loaded, "LIVEKIT_AS_TOKEN"), from);
  assertEquals(sourceOf(loaded, "LIVEKIT_HS_TOKEN"), from);
  assertEquals(
    new Set(names(loaded.warnings)),
    new Set(["LIVEKIT_AS_REGISTRATION_FILE", "LIVEKIT_AS_TOKEN"]),
  );
  const said = messages(loaded.warnings) + JSON.stringify(loaded.settings);
  assert(!/of-the-file|some-other/.test(said), said);
});

Deno.test("loadConfig() says what a registration file lacks, and the name besides", () => {
  const env = { ...COMPLETE, LIVEKIT_AS_REGISTRATION_FILE: "/run/registration.yaml" };
  const faults = faultsOf(env, { "/run/registration.yaml": "as_token: as-token-of-the-file\n" });
  assertEquals(names(faults), ["LIVEKIT_AS_REGISTRATION_FILE", "LIVEKIT_HS_SERVER_NAME"]);
  assertStringIncludes(faults[0]!.message, "the file has no hs_token");
  const missing = faultsOf({ ...env, LIVEKIT_HS_SERVER_NAME: "example.org" });
  assertEquals(names(missing), ["LIVEKIT_AS_REGISTRATION_FILE"]);
});

Deno.test("loadConfig() takes the membership check by its other name", () => {
  const mode = {
    LIVEKIT_AS_TOKEN: "the-as-token-of-the-tests",
    LIVEKIT_HS_TOKEN: "the-hs-token-of-the-tests",
    LIVEKIT_HS_SERVER_NAME: "example.org",
    LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS: "0",
  };
  const { config, warnings } = load({ ...COMPLETE, ...mode });
  assertEquals(config.membershipCheckSeconds, 0);
  assertStringIncludes(messages(warnings), "rename it to MATRIXRTC_MEMBERSHIP_CHECK_SECONDS");
});

Deno.test("loadConfig() shows no secret, whatever is wrong with it", () => {
  const secretOnes = listVariables().filter(([, { secret }]) => secret !== undefined);
  const secret = "hunter2";
  const forms = [
    secret,
    `${secret}\n${secret}`,
    `${secret}: ${secret}`,
    `x://me:${secret}@h`,
    `"${secret}"`,
  ];
  for (const form of forms) {
    for (const suffix of ["", "_FROM_FILE", "_FILE"]) {
      const env = Object.fromEntries(secretOnes.map(([name]) => [`${name}${suffix}`, form]));
      const said = everythingSaid({ ...env, LIVEKIT_URL: `wss://me:${secret}@sfu` });
      assert(!said.includes(secret), `${suffix} ${form}: ${said}`);
    }
    const files = Object.fromEntries(secretOnes.map(([name]) => [`/creds/${name}`, form]));
    const said = everythingSaid(
      { LIVEKIT_URL: "wss://sfu", CREDENTIALS_DIRECTORY: "/creds" },
      files,
    );
    assert(!said.includes(secret), `credentials ${form}: ${said}`);
  }
});

Deno.test("loadConfig() shows no secret that it accepts", () => {
  const secretOnes = listVariables().filter(([, { secret }]) => secret === "value");
  const env = Object.fromEntries(secretOnes.map(([name]) => [name, "hunter2"]));
  const said = everythingSaid({
    ...env,
    LIVEKIT_URL: "wss://sfu",
    LIVEKIT_KEYS: "hunter2: hunter2",
    LIVEKIT_REDIS_URL: "redis://:hunter2@cache",
    LIVEKIT_HS_SERVER_NAME: "example.org",
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=hunter2",
  });
  assert(said.includes("[secret]") && !said.includes("hunter2"), said);
});

function everythingSaid(env: Record<string, string>, files: Record<string, string> = {}): string {
  try {
    const { config, settings, warnings } = load(env, files);
    // The key itself is no secret to the code: every token carries it.
    const { key: _key, previous: _previous, ...liveKit } = config.liveKit;
    return JSON.stringify([{ ...config, liveKit }, settings]) + messages(warnings);
  } catch (error) {
    const { message, faults, warnings } = error as ConfigError;
    return [message, messages(faults), messages(warnings)].join("\n");
  }
}
