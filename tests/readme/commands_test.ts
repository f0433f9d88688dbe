// Every command of the guide is run, or, where it needs what only an operator has, held against
// what it would meet.

import { assert, assertEquals, assertExists, assertMatch, assertStringIncludes } from "@std/assert";
import { parse } from "yaml";
import { VARIABLES } from "../../lib/config/variables/variables.ts";
import { ROOT, runService, startService } from "../support/service.ts";
import { readDocument, type ShellCommand, shellCommands } from "./support/document.ts";

const readme = await readDocument("README.md");
const dockerfile = await Deno.readTextFile(`${ROOT}/Dockerfile`);
const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`));
const commands = readme.blocks.filter(({ language }) => language === "sh")
  .flatMap(({ text }) => shellCommands(text));

/** The first command's variables: the smallest configuration. */
const SMALLEST = commands[0]!.env;
const LOOPBACK = { LIVEKIT_JWT_BIND: "127.0.0.1:0" };

const CHECKS: readonly [pattern: RegExp, check: (command: ShellCommand) => Promise<void> | void][] =
  [
    [/\.\/matrixrtc-auth$/, ({ env }) => servesWith(env)],
    [/^docker build /, buildsAnImage],
    [/^docker run /, runsTheImage],
    [/^deno task demo$/, showsAToken],
    [/^npx /, pinsOneDeno],
    [/matrixrtc-auth config registration /, makesARegistration],
    [/^matrixrtc-auth config/, printsSettings],
    [/^matrixrtc-auth doctor$/, findsFaults],
    [/^matrixrtc-auth healthcheck$/, asksTheService],
    [/^curl /, getsTheAnswer],
    [/^DENORT_BIN=.* deno task compile$/, namesWhatCompilingReads],
    [/^deno task (test|load|bench)$/, ({ words }) => assertExists(tasks[words[2]!])],
  ];

for (const command of commands) {
  Deno.test(`README: ${command.line}`, async () => {
    const [, check] = CHECKS.find(([pattern]) => pattern.test(command.line)) ?? [];
    assertExists(check, "this command has no test yet");
    await check(command);
  });
}

Deno.test("README names every task and no other", () => {
  const named = readme.rows.filter(({ columns }) => columns[0] === "task")
    .map(({ cells }) => cells[0]!.replace(/`deno task (.*)`/, "$1"));
  assertEquals(named.sort(), Object.keys(tasks).sort());
});

Deno.test("README has the test command that CI runs", async () => {
  assert(commands.some(({ line }) => line === "deno task test"));
  assertStringIncludes(await Deno.readTextFile(`${ROOT}/.ci/run`), "deno task test\n");
});

/** @param expected The one warning that the environment is good for. */
async function servesWith(
  env: Readonly<Record<string, string>>,
  expected?: RegExp,
): Promise<void> {
  await using service = await startService({ env: { ...env, ...LOOPBACK } });
  const response = await fetch(`${service.url}/healthz`);
  assertEquals([response.status, await response.text()], [200, ""]);
  assertEquals(await service.stop(), 0);
  // The guide's secret is short, so that it fits on the line.
  const warnings = service.output.split("\n").filter((line) => / (WARNING|ERROR) /.test(line));
  const others = warnings.filter((line) =>
    !line.includes("fewer than 32 characters") && expected?.test(line) !== true
  );
  assertEquals(others, []);
}

function buildsAnImage({ words }: ShellCommand): void {
  assertEquals(words.slice(2), ["-t", "matrixrtc-auth", "."]);
  assertMatch(dockerfile, /^ENTRYPOINT \["\/matrixrtc-auth"\]$/m);
}

async function runsTheImage({ words }: ShellCommand): Promise<void> {
  const env: Record<string, string> = {};
  const rest: string[] = [];
  for (let i = 2; i < words.length; i++) {
    if (words[i] !== "-e") {
      rest.push(words[i]!);
      continue;
    }
    const [name, ...value] = words[++i]!.split("=");
    env[name!] = value.join("=");
  }
  assertEquals(env, SMALLEST);
  assertEquals(rest, ["-p", "8080:8080", "matrixrtc-auth"]);
  assertEquals(VARIABLES.LIVEKIT_JWT_BIND.default, ":8080");
  assertMatch(dockerfile, /^EXPOSE 8080$/m);
  await servesWith(env);
}

async function showsAToken(): Promise<void> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "demo", "--once"],
    cwd: ROOT,
    stdin: "null",
    stderr: "inherit",
    signal: AbortSignal.timeout(90_000),
  }).output();
  assertEquals(code, 0);
  assertMatch(new TextDecoder().decode(stdout), /roomJoin +true/);
}

async function pinsOneDeno({ line }: ShellCommand): Promise<void> {
  const version = /^npx --yes deno@([0-9.]+) task demo$/.exec(line)?.[1];
  assertExists(version);
  assertStringIncludes(dockerfile, `ARG DENO_VERSION=${version}\n`);
  assertStringIncludes(await Deno.readTextFile(`${ROOT}/.ci/install`), `install_deno ${version}\n`);
  assertStringIncludes(readme.text, `[Deno](https://deno.com) ${version};`);
}

async function printsSettings({ words }: ShellCommand): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/matrixrtc-auth.env`;
    const lines = Object.entries(SMALLEST).map(([name, value]) => `${name}=${value}\n`);
    await Deno.writeTextFile(file, lines.join(""));
    const takesFile = words.includes("--env-file");
    const args = words.slice(1).map((word) => word === "matrixrtc-auth.env" ? file : word);
    const { code, stdout } = await runService({ args, env: takesFile ? {} : SMALLEST });
    assertEquals(code, 0);
    assertMatch(stdout, /^LIVEKIT_URL +wss:\S+ +env/m);
    assertStringIncludes(stdout, "[secret]");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What the command writes is what the guide's other steps need, and the service takes it. */
async function makesARegistration({ env, words, output }: ShellCommand): Promise<void> {
  const { code, stdout, stderr } = await runService({ args: words.slice(1), env });
  assertEquals([code, stderr, output], [0, "", "matrixrtc-auth.yaml"]);
  const fragment = stdout.split("\n").filter((line) => /^# /.test(line))
    .map((line) => line.slice(2)).join("\n");
  const said = parse(fragment);
  // The guide names the address of older clients, which the command does not know.
  const [transport] = said.matrix_rtc.transports;
  transport.livekit_service_url = "https://rtc.example.org/livekit/jwt";
  const told = readme.blocks.filter(({ language }) => language === "yaml")
    .find(({ text }) => text.startsWith("app_service_config_files"));
  assertEquals(parse(told!.text), said);

  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/${output}`;
    await Deno.writeTextFile(file, stdout);
    const variables = readme.blocks.find(({ language }) => language === "dotenv");
    const homeserverMode = Object.fromEntries(
      variables!.text.trim().split("\n").map((line) => line.split(/=(.*)/, 2)),
    );
    await servesWith({
      ...SMALLEST,
      ...homeserverMode,
      LIVEKIT_AS_REGISTRATION_FILE: file,
      // Nobody listens there, and the guide's homeserver is not ours to ask.
      LIVEKIT_CS_API_URL_OVERRIDES: "example.org=http://127.0.0.1:9",
    }, /does not tell who is in a room/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function findsFaults(): Promise<void> {
  const env = {
    ...SMALLEST,
    LIVEKIT_URL: "ws://127.0.0.1:9",
    LIVEKIT_FULL_ACCESS_HOMESERVERS: "127.0.0.1:9",
  };
  const { code, stdout } = await runService({ args: ["doctor"], env });
  assertEquals(code, 2);
  assertMatch(stdout, /FAIL +F2 .*\n +→ /);
}

async function asksTheService(): Promise<void> {
  await using service = await startService({ env: { ...SMALLEST, ...LOOPBACK } });
  const { host } = new URL(service.url);
  const env = { ...SMALLEST, LIVEKIT_JWT_BIND: host };
  assertEquals((await runService({ args: ["healthcheck"], env })).code, 0);
  await service.stop();
  assertEquals((await runService({ args: ["healthcheck"], env })).code, 1);
}

/** What the guide says of each request, by method and the end of the path. */
const ANSWERS: Readonly<Record<string, number>> = {
  "OPTIONS /livekit/jwt/get_token": 200,
  "GET /livekit/jwt/sfu/get": 405,
  "POST /livekit/jwt/get_token": 400,
  // No SFU here.
  "GET /readyz": 503,
};

async function getsTheAnswer({ words }: ShellCommand): Promise<void> {
  const { pathname } = new URL(words.at(-1)!);
  const method = words.includes("-X") ? words[words.indexOf("-X") + 1]! : "GET";
  await using service = await startService({
    env: { ...SMALLEST, ...LOOPBACK, LIVEKIT_URL: "ws://127.0.0.1:9" },
  });
  const response = await fetch(service.url + pathname, { method });
  await response.body?.cancel();
  assertEquals(response.status, ANSWERS[`${method} ${pathname}`]);
  assertEquals(response.headers.get("access-control-allow-origin"), "*");
  assertMatch(response.headers.get("x-request-id") ?? "", /^[a-z0-9]+$/);
}

async function namesWhatCompilingReads({ env }: ShellCommand): Promise<void> {
  const tool = await Deno.readTextFile(`${ROOT}/tools/compile.ts`);
  for (const name of Object.keys(env)) assertStringIncludes(tool, name);
}
