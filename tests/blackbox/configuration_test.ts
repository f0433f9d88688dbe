import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parse } from "yaml";
import { listVariables } from "../../lib/config/variables/variables.ts";
import { SFU_SECRET, startSfu } from "../fakes/sfu.ts";
import { runService } from "../support/service.ts";
import { run, secret, start, test, testSecrets } from "./support/watched.ts";
import { ask, getTokenBody, startWorld } from "./support/world.ts";

const COMPLETE = {
  LIVEKIT_URL: "wss://sfu.example.org",
  LIVEKIT_KEY: "devkey",
  LIVEKIT_SECRET: SFU_SECRET,
  LIVEKIT_FULL_ACCESS_HOMESERVERS: "example.org",
  LIVEKIT_JWT_BIND: "127.0.0.1:0",
};

/** A bad value for each variable that can have one. */
const MALFORMED: Record<string, string> = {
  LIVEKIT_URL: "sfu.example.org",
  LIVEKIT_INTERNAL_URL: "ftp://sfu.example.org",
  LIVEKIT_KEY: secret("key\u0001of-alice"),
  LIVEKIT_SECRET: secret("secret\u0001of-alice"),
  LIVEKIT_KEY_FILE: "/nowhere/key",
  LIVEKIT_KEYS: secret("keys-without-a-colon"),
  LIVEKIT_PREVIOUS_KEY: secret("previous\u0001key"),
  LIVEKIT_PREVIOUS_SECRET: secret("previous\u0001secret"),
  LIVEKIT_CAN_UPDATE_OWN_METADATA: "perhaps",
  LIVEKIT_JWT_BIND: "8080",
  LIVEKIT_FULL_ACCESS_HOMESERVERS: "https://example.org",
  LIVEKIT_CS_API_URL_OVERRIDES: "example.org",
  LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS: "-1",
  MATRIXRTC_MEMBERSHIP_CHECK_SECONDS: "1.5",
  LIVEKIT_REDIS_URL: `http://user:${secret("redis-url-password")}@cache`,
  LIVEKIT_REDIS_PASSWORD: secret("redis\u0001password"),
  LIVEKIT_AS_TOKEN: secret("as\u0001token"),
  LIVEKIT_HS_TOKEN: secret("hs\u0001token"),
  LIVEKIT_HS_SERVER_NAME: "https://example.org",
  LIVEKIT_AS_REGISTRATION_FILE: "/nowhere/registration.yaml",
  MATRIXRTC_HOMESERVERS_ALLOWED: "a/b",
  MATRIXRTC_HOMESERVERS_BLOCKED: "*.*.example.org",
  MATRIXRTC_TOKEN_TTL_SECONDS: "59",
  MATRIXRTC_RATE_LIMIT_PER_CLIENT: "many",
  MATRIXRTC_RATE_LIMIT_PER_SERVER: "600",
  MATRIXRTC_TRUSTED_PROXIES: "10.0.0.0/33",
  MATRIXRTC_SHUTDOWN_SECONDS: "601",
  MATRIXRTC_FEDERATION_URL_OVERRIDES: "example.org=ftp://a",
  MATRIXRTC_CA_FILE: "/nowhere/ca.pem",
  MATRIXRTC_ALLOW_NETWORKS: "10.0.0.0.0/8",
  MATRIXRTC_DELEGATION: "maybe",
  MATRIXRTC_DELEGATE_FOR: "nobody",
  MATRIXRTC_STATE_DIR: "relative/folder\u0001",
  MATRIXRTC_LOG_FORMAT: "xml",
  MATRIXRTC_LOG_IDENTIFIERS: "secret",
  MATRIXRTC_METRICS_BIND: "nowhere",
  OTEL_EXPORTER_OTLP_ENDPOINT: "grpc://collector",
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "collector:4317/traces?x",
  OTEL_EXPORTER_OTLP_HEADERS: secret("otlp-headers-without-a-name"),
  OTEL_SERVICE_NAME: "name\u0001",
  HTTPS_PROXY: `ftp://user:${secret("https-proxy-password")}@proxy`,
  HTTP_PROXY: `ftp://user:${secret("http-proxy-password")}@proxy`,
};
/** Variables of which every value is taken, with a warning at most. */
const LENIENT = [
  "LIVEKIT_INSECURE_SKIP_VERIFY_TLS",
  "LIVEKIT_LOG_LEVEL",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "NO_PROXY",
  "OTEL_EXPORTER_OTLP_PROTOCOL",
  "OTEL_TRACES_SAMPLER",
  "OTEL_TRACES_SAMPLER_ARG",
  "OTEL_SDK_DISABLED",
];

async function withFiles(
  files: Record<string, string>,
  action: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

test("serve and config refuse every malformed variable, all at once, each by its name", async () => {
  const names = [...listVariables()].map(([name]) => name as string);
  assertEquals(names.toSorted(), [...Object.keys(MALFORMED), ...LENIENT].toSorted());
  for (const args of [[], ["config"], ["healthcheck"]]) {
    const { code, stdout, stderr } = await run({ env: MALFORMED, args });
    assertEquals([code, stdout], [78, ""]);
    const lines = stderr.trimEnd().split("\n");
    for (const line of lines) assertMatch(line, /^(error|warning): [A-Z_]+ /);
    const refused = lines.filter((line) => line.startsWith("error: "))
      .map((line) => line.split(" ")[1]!);
    assertEquals([...new Set(refused)].toSorted(), Object.keys(MALFORMED).toSorted(), stderr);
    for (const line of lines) {
      if (line.startsWith("error:")) assertStringIncludes(line, "Accepted: ");
    }
  }
});

test("serve says all that is missing, and that in text even when JSON is the format", async () => {
  const { code, stderr } = await run({ env: { MATRIXRTC_LOG_FORMAT: "json" } });
  assertEquals(code, 78);
  for (const name of ["LIVEKIT_URL", "LIVEKIT_KEY", "LIVEKIT_SECRET"]) {
    assertMatch(stderr, new RegExp(`^error: ${name} is not set`, "m"));
  }
});

test("config prints every variable with its source, secrets not", async () => {
  await withFiles(
    { "auth.env": "LIVEKIT_LOG_LEVEL=debug\nLIVEKIT_KEY=ignored\n" },
    async (folder) => {
      const args = ["config", "--env-file", `${folder}/auth.env`];
      const { code, stdout, stderr } = await run({ env: COMPLETE, args });
      assertEquals([code, stderr], [0, ""]);
      const lines = stdout.trimEnd().split("\n");
      assertEquals(
        lines.map((line) => line.split(" ")[0]!),
        [...listVariables()].map(([name]) => name),
      );
      const line = (name: string) => lines.find((line) => line.startsWith(`${name} `))!;
      assertMatch(line("LIVEKIT_URL"), /^LIVEKIT_URL +wss:\/\/sfu\.example\.org +environment$/);
      assertMatch(line("LIVEKIT_KEY"), /\[secret\] +environment$/);
      assertMatch(line("LIVEKIT_SECRET"), /\[secret\] +environment$/);
      assertMatch(line("LIVEKIT_LOG_LEVEL"), /debug +env file .*auth\.env$/);
      assertMatch(line("MATRIXRTC_TOKEN_TTL_SECONDS"), /3600 +default$/);
    },
  );
});

test("config warns of unknown names and tells the nearest known one", async () => {
  const { code, stderr } = await run({
    env: { ...COMPLETE, LIVEKIT_FULL_ACCES_HOMESERVERS: "a.example" },
    args: ["config"],
  });
  assertEquals(code, 0);
  assertMatch(
    stderr,
    /^warning: LIVEKIT_FULL_ACCES_HOMESERVERS .*LIVEKIT_FULL_ACCESS_HOMESERVERS/m,
  );
});

test("--env-file must be there and be readable, --env-file-if-exists need not", async () => {
  for (const path of ["/nowhere/auth.env", "/"]) {
    const { code, stderr } = await run({ env: COMPLETE, args: ["config", "--env-file", path] });
    assertEquals(code, 78);
    assertMatch(stderr, new RegExp(`^error: --env-file ${path} cannot be read`, "m"));
  }
  const args = ["config", "--env-file-if-exists", "/nowhere/auth.env"];
  assertEquals((await run({ env: COMPLETE, args })).code, 0);
});

test("X_FROM_FILE gives a secret without the line's end, and must be readable", async () => {
  await withFiles({ secret: `\r\n ${SFU_SECRET} \r\n`, empty: "\n" }, async (folder) => {
    const { LIVEKIT_SECRET: _, ...rest } = COMPLETE;
    const good = { ...rest, LIVEKIT_SECRET_FROM_FILE: `${folder}/secret` };
    const { code, stdout } = await run({ env: good, args: ["config"] });
    assertEquals(code, 0);
    assertMatch(stdout, /^LIVEKIT_SECRET +\[secret\] +.*secret/m);
    for (const name of ["empty", "missing"]) {
      const env = { ...rest, LIVEKIT_SECRET_FROM_FILE: `${folder}/${name}` };
      const { code, stderr } = await run({ env, args: ["config"] });
      assertEquals(code, 78);
      assertMatch(stderr, /^error: LIVEKIT_SECRET_FROM_FILE /m);
    }
  });
});

/** Starts the service and lets Alice in: proof that the SFU took the key and the secret. */
async function assertWorks(
  env: Record<string, string>,
  removed: readonly string[] = [],
): Promise<void> {
  const rest = Object.fromEntries(
    Object.entries(world.env).filter(([name]) => !removed.includes(name)),
  );
  await using service = await start({ env: { ...rest, ...env } });
  world.sfu.calls.length = 0;
  const answer = await ask(service, "POST", "/get_token", getTokenBody(world));
  assertEquals([answer.status, world.sfu.count("CreateRoom")], [200, 1], service.output);
}

const KEY = ["LIVEKIT_KEY", "LIVEKIT_SECRET"];
const world = await startWorld();
Deno.test.afterAll(async () => await world[Symbol.asyncDispose]());

test("systemd's credentials give key and secret", async () => {
  const files = { LIVEKIT_KEY: "devkey\n", LIVEKIT_SECRET: `${SFU_SECRET}\n` };
  await withFiles(files, (folder) => assertWorks({ CREDENTIALS_DIRECTORY: folder }, KEY));
});

const KEY_FILES: [name: string, text: string][] = [
  ["key: secret", `devkey: ${SFU_SECRET}\n`],
  ["key:secret without a blank", `devkey:${SFU_SECRET}`],
  ["LiveKit's own file", `# keys\r\nother: ${"o".repeat(32)}\r\n"devkey": '${SFU_SECRET}'\r\n`],
];
for (const [name, text] of KEY_FILES) {
  test(`LIVEKIT_KEY_FILE is read as ${name}`, () =>
    withFiles({ keys: text }, (folder) =>
      assertWorks({
        LIVEKIT_KEY_FILE: `${folder}/keys`,
        ...(name.startsWith("LiveKit") && { LIVEKIT_KEY: "devkey" }),
      }, KEY)));
}

test("the first releases' key file, secret file and port still work", async () => {
  await withFiles({ key: "devkey\n", secret: `${SFU_SECRET}\n` }, async (folder) => {
    const env = {
      LIVEKIT_URL: "ws://somewhere",
      LIVEKIT_KEY_FILE: `${folder}/key`,
      LIVEKIT_SECRET_FILE: `${folder}/secret`,
      LIVEKIT_JWT_PORT: "0",
    };
    await using service = await start({ env });
    const { port } = new URL(service.url);
    assertEquals((await ask({ url: `http://127.0.0.1:${port}` }, "GET", "/healthz")).status, 200);
    await service.waitForLog(/WARNING LIVEKIT_FULL_ACCESS_HOMESERVERS is not set: nobody has full/);
    await service.waitForLog(/WARNING LIVEKIT_SECRET_FILE is an old name/);
  });
});

test("the first releases' plain variables let a user in, without creating the room", async () => {
  await using sfu = startSfu({});
  const { MATRIXRTC_CA_FILE, MATRIXRTC_ALLOW_NETWORKS, LIVEKIT_JWT_BIND } = world.env;
  await using service = await start({
    env: {
      LIVEKIT_URL: sfu.liveKitUrl,
      LIVEKIT_KEY: "devkey",
      LIVEKIT_SECRET: SFU_SECRET,
      LIVEKIT_JWT_BIND: LIVEKIT_JWT_BIND!,
      // Only that the test's homeserver is neither public nor known to the system's authorities.
      MATRIXRTC_CA_FILE: MATRIXRTC_CA_FILE!,
      MATRIXRTC_ALLOW_NETWORKS: MATRIXRTC_ALLOW_NETWORKS!,
    },
  });
  const answer = await ask(service, "POST", "/get_token", getTokenBody(world));
  assertEquals([answer.status, answer.json.url, sfu.requests.length], [200, sfu.liveKitUrl, 0]);
  await service.waitForLog(/fullAccess=nobody/);
});

/** What `config registration` prints; the tokens are secrets of all that comes after. */
async function printRegistration(
  env: Record<string, string>,
  args: readonly string[] = [],
): Promise<{ text: string; tokens: string[] }> {
  // Not under watch: this one command shows secrets.
  const { code, stdout, stderr } = await runService({
    env,
    args: ["config", "registration", ...args],
  });
  assertEquals([code, stderr], [0, ""]);
  const { as_token: asToken, hs_token: hsToken } = parse(stdout);
  return { text: stdout, tokens: [secret(asToken), secret(hsToken)] };
}

const HOMESERVER = { LIVEKIT_HS_SERVER_NAME: "example.org" };

test("config registration needs a name only, and has new random tokens each time", async () => {
  const first = await printRegistration(HOMESERVER);
  const second = await printRegistration({}, ["--server", "example.org"]);
  const tokens = [...first.tokens, ...second.tokens];
  for (const token of tokens) assertMatch(token, /^[0-9a-f]{64}$/);
  assertEquals(new Set(tokens).size, 4);
  const fields = parse(first.text);
  assertEquals(fields["io.element.msc4512.proxy_url"], "http://127.0.0.1:8080");
  assertEquals(fields.namespaces.users[0].regex, "@[^:]*:example\\.org$");
});

test("config registration reads an env file and names what is missing or faulty", async () => {
  await withFiles({ "auth.env": "LIVEKIT_HS_SERVER_NAME=a.example\n" }, async (folder) => {
    const args = ["--url", "http://auth:8080", "--env-file", `${folder}/auth.env`];
    const fields = parse((await printRegistration({ LIVEKIT_JWT_BIND: ":1" }, args)).text);
    assertEquals(fields["io.element.msc4512.proxy_url"], "http://auth:8080");
    assertEquals(fields.namespaces.users[0].regex, "@[^:]*:a\\.example$");
  });
  const args = ["config", "registration"];
  for (
    const { env, names } of [
      { env: {}, names: ["LIVEKIT_HS_SERVER_NAME"] },
      {
        env: { LIVEKIT_JWT_BIND: "unix:/run/a.sock", LIVEKIT_URL: "sfu" },
        names: ["LIVEKIT_HS_SERVER_NAME", "LIVEKIT_JWT_BIND", "LIVEKIT_URL"],
      },
    ] as { env: Record<string, string>; names: string[] }[]
  ) {
    const { code, stdout, stderr } = await run({ env, args });
    assertEquals([code, stdout], [78, ""]);
    const said = stderr.trimEnd().split("\n");
    assertEquals(said.map((line) => /^error: ([A-Z_]+) /.exec(line)?.[1]), names);
  }
});

test("the service takes the file that config registration prints, without a warning", async () => {
  const { text, tokens } = await printRegistration({ ...COMPLETE, LIVEKIT_JWT_BIND: ":8080" });
  await withFiles({ "registration.yaml": text }, async (folder) => {
    const path = `${folder}/registration.yaml`;
    const env = { ...COMPLETE, ...HOMESERVER, LIVEKIT_AS_REGISTRATION_FILE: path };
    const { code, stdout, stderr } = await run({ env, args: ["config"] });
    assertEquals([code, stderr], [0, ""]);
    for (const name of ["LIVEKIT_AS_TOKEN", "LIVEKIT_HS_TOKEN"]) {
      assertMatch(stdout, new RegExp(`^${name} +\\[secret\\] +file ${path} `, "m"));
    }
    assertMatch(stdout, /^MATRIXRTC_MEMBERSHIP_CHECK_SECONDS +60 +default$/m);
    await using service = await start({ env });
    await service.waitForLog(/listening on .* homeserver=example\.org/);
    // What follows is about a homeserver that this test does not have.
    const before = service.output.slice(0, service.output.indexOf("listening on"));
    assert(!/ (WARNING|ERROR) /.test(before), before);
    const response = await fetch(`${service.url}/_matrix/app/v1/ping`, {
      method: "POST",
      headers: { Authorization: `Bearer ${tokens[1]}` },
    });
    assertEquals([response.status, await response.json()], [200, {}]);
  });
});

test("a registration file is refused without a word of what is in it", async () => {
  const token = secret("the-token-in-the-file");
  const files = {
    "syntax.yaml": `as_token: ${token}\nhs_token: "${token}`,
    "half.yaml": `as_token: ${token}\n`,
    "twice.yaml": `as_token: ${token}\nas_token: ${token}\nhs_token: ${token}\n`,
    "list.yaml": `- ${token}\n`,
    "words.yaml": `as_token: ${token} ${token}\nhs_token: ${token}\n`,
    "deep.yaml": `${token}: ${"[".repeat(60_000)}`,
  };
  await withFiles(files, async (folder) => {
    for (const name of Object.keys(files)) {
      const path = `${folder}/${name}`;
      const env = { ...COMPLETE, ...HOMESERVER, LIVEKIT_AS_REGISTRATION_FILE: path };
      const { code, stdout, stderr } = await run({ env });
      assertEquals([code, stdout], [78, ""]);
      assertMatch(stderr, /^error: LIVEKIT_AS_REGISTRATION_FILE is ".*yaml": .*\n$/);
    }
  });
});

test("LIVEKIT_SECRET that is set but empty counts as not set", async () => {
  const { code, stderr } = await run({
    env: { ...COMPLETE, LIVEKIT_SECRET: " " },
    args: ["config"],
  });
  assertEquals(code, 78);
  assertMatch(stderr, /^error: LIVEKIT_SECRET is not set/m);
});

test("MATRIXRTC_TOKEN_TTL_SECONDS and LIVEKIT_CAN_UPDATE_OWN_METADATA are in the token", async () => {
  const env = { MATRIXRTC_TOKEN_TTL_SECONDS: "60", LIVEKIT_CAN_UPDATE_OWN_METADATA: "true" };
  await using service = await start({ env: { ...world.env, ...env } });
  const { json } = await ask(service, "POST", "/get_token", getTokenBody(world));
  const { nbf, exp, video } = JSON.parse(atob((json.jwt as string).split(".")[1]!));
  assertEquals([exp - nbf, video.canUpdateOwnMetadata], [60, true]);
});

test("MATRIXRTC_LOG_IDENTIFIERS=plain shows users in the log", async () => {
  await using plain = await start({ env: { ...world.env, MATRIXRTC_LOG_IDENTIFIERS: "plain" } });
  await ask(plain, "POST", "/get_token", getTokenBody(world));
  await plain.waitForLog(new RegExp(`user=${world.alice} `));
});

testSecrets();
