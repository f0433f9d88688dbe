import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/cli/arguments.ts";
import { type DoctorDeps, runDoctor } from "../../lib/cli/doctor.ts";
import { formatJson, formatProgress, formatReport } from "../../lib/cli/doctor_report.ts";
import { loadConfig } from "../../lib/config/load_config.ts";
import type { Result } from "../../lib/diagnosis/check.ts";
import { UpstreamError } from "../../lib/matrix/errors.ts";
import { realClock } from "../diagnosis/support/real_clock.ts";
import { runService } from "../support/service.ts";

const RESULTS: readonly Result[] = [
  { id: "A1", group: "A", title: "values", verdict: "PASS", evidence: "all there", ms: 1 },
  {
    id: "C2",
    group: "C",
    title: "rtc_foci",
    subject: "a.example",
    verdict: "FAIL",
    evidence: "none",
    remedy: "Add them.",
    ms: 20,
  },
  { id: "C6", group: "C", title: "both", verdict: "SKIP", evidence: "no token", ms: 0 },
  { id: "D1", group: "D", title: "alive", verdict: "WARN", evidence: "404", remedy: "See.", ms: 3 },
];

Deno.test("formatReport() has groups, a line a check, and remedies beneath", () => {
  assertEquals(
    formatReport(RESULTS, { hasColour: false, ms: 1_234 }),
    `A  Configuration
  PASS  A1  values: all there

C  Discovery
  FAIL  C2  rtc_foci (a.example): none
            → Add them.
  SKIP  C6  both: no token

D  This service through the proxy
  WARN  D1  alive: 404
            → See.

1 passed, 1 warning, 1 failure, 1 skipped, in 1.2 s
`,
  );
});

Deno.test("formatReport() colours verdicts and changes nothing else", () => {
  const plain = formatReport(RESULTS, { hasColour: false, ms: 0 });
  const coloured = formatReport(RESULTS, { hasColour: true, ms: 0 });
  assert(coloured.includes("\x1b[31mFAIL\x1b[0m"));
  // deno-lint-ignore no-control-regex
  assertEquals(coloured.replace(/\x1b\[\d+m/g, ""), plain);
});

Deno.test("formatJson() has the documented members", () => {
  const report = JSON.parse(formatJson(RESULTS, { version: "1.2.3", now: 0 }));
  assertEquals(report, {
    version: "1.2.3",
    generatedAt: "1970-01-01T00:00:00.000Z",
    summary: { pass: 1, warn: 1, fail: 1, skip: 1 },
    checks: RESULTS,
  });
});

Deno.test("formatProgress() stays below the terminal's width", () => {
  const check = { id: "C1", title: "well-known file for clients" };
  assertEquals(formatProgress(check, 3, 40, 80), "[3/40] C1 well-known file for clients");
  assertEquals(formatProgress(check, 3, 40, 12), "[3/40] C1 w");
});

const GOOD = {
  LIVEKIT_URL: "wss://sfu.example.org",
  LIVEKIT_KEY: "devkey",
  LIVEKIT_SECRET: "a-secret-of-thirty-two-characters!",
  LIVEKIT_FULL_ACCESS_HOMESERVERS: "example.org",
  LIVEKIT_JWT_BIND: "127.0.0.1:0",
};

/** Nobody is there but who looks. */
function createDeps(env: Record<string, string>, files: Record<string, string> = {}) {
  const printed: string[] = [];
  const shown: string[] = [];
  const deps: DoctorDeps = {
    clock: realClock,
    load: () => loadConfig({ env, readFile: () => "" }),
    readFile(path) {
      const text = files[path];
      if (text === undefined) throw new Deno.errors.NotFound(path);
      return text;
    },
    connect: () => ({
      client: {
        request: () => Promise.reject(new UpstreamError("dns", "nobody is there")),
        close: () => Promise.resolve(),
      },
      lookup: () => Promise.reject(new Error("nobody")),
      lookupSrv: () => Promise.resolve([]),
      trust: { ca: [] },
      random: () => 0,
    }),
    print: (text) => printed.push(text),
    hasColour: false,
    progress: { columns: 80, show: (line) => shown.push(line) },
  };
  return { deps, printed, shown };
}

Deno.test("runDoctor() tells every fault of a configuration, and asks nobody", async () => {
  const { deps, printed } = createDeps({ LIVEKIT_URL: "sfu", LK_JWT_PORT: "1" });
  const connect = () => {
    throw new Error("asked");
  };
  const code = await runDoctor({ isJson: true, serverNames: [] }, { ...deps, connect });
  const { checks, summary } = JSON.parse(printed.join(""));
  assertEquals(code, 2);
  assertEquals(summary.fail, 3);
  assertEquals(
    checks.map(({ id, subject }: Result) => `${id} ${subject}`).sort(),
    [
      "A1 LIVEKIT_KEY",
      "A1 LIVEKIT_SECRET",
      "A1 LIVEKIT_URL",
      "A2 LK_JWT_PORT",
      "A5 LIVEKIT_FULL_ACCESS_HOMESERVERS",
    ],
  );
});

Deno.test("runDoctor() shows progress and takes it away before it prints", async () => {
  const { deps, printed, shown } = createDeps(GOOD);
  assertEquals(await runDoctor({ isJson: false, serverNames: [] }, deps), 2);
  assertMatch(shown[0]!, /^\[1\/\d+\] /);
  assertEquals(shown.at(-1), "");
  assertMatch(printed.join(""), /B {2}Names, TLS, time/);
  assertMatch(printed.join(""), /failures, \d+ skipped/);
});

Deno.test("runDoctor() looks at the servers it is told to", async () => {
  const { deps, printed } = createDeps(GOOD);
  await runDoctor({ isJson: true, serverNames: ["b.example"] }, deps);
  const subjects = JSON.parse(printed.join("")).checks
    .filter(({ id }: Result) => id === "C1").map(({ subject }: Result) => subject);
  assertEquals(subjects, ["b.example"]);
});

for (
  const [name, files, says] of [
    ["is not there", {}, /cannot be read: NotFound/],
    ["holds two lines", { "/token": "a\nb" }, /holds no access token/],
    ["is empty", { "/token": " \n" }, /holds no access token/],
  ] as const
) {
  Deno.test(`runDoctor() refuses a token file that ${name}`, async () => {
    const { deps } = createDeps(GOOD, files);
    const args = { isJson: false, serverNames: [], userTokenFile: "/token" };
    const error = await runDoctor(args, deps).catch((error) => error);
    const thrown = assertThrows(() => {
      throw error;
    }, UsageError);
    assertMatch(thrown.message, says);
  });
}

Deno.test("the program's doctor prints JSON alone, and ends with 2 for failures", async () => {
  const env = { ...GOOD, LIVEKIT_URL: "ws://127.0.0.1:9" };
  const args = ["doctor", "--json", "--server", "localhost:9"];
  const { code, stdout, stderr } = await runService({ args, env });
  const { summary, checks } = JSON.parse(stdout);
  assertEquals([code, stderr], [2, ""]);
  assertEquals(summary.fail > 0, true);
  assertEquals(stdout.includes(GOOD.LIVEKIT_SECRET), false);
  for (const { verdict, remedy } of checks) {
    assertEquals(remedy !== undefined, verdict === "WARN" || verdict === "FAIL");
  }
});

Deno.test("the program's doctor prints plain text where nobody watches", async () => {
  const env = { ...GOOD, LIVEKIT_URL: "127.0.0.1:9" };
  const { code, stdout, stderr } = await runService({ args: ["doctor"], env });
  assertEquals([code, stderr], [2, ""]);
  assertMatch(stdout, /^A {2}Configuration\n {2}FAIL {2}A1 {2}usable value \(LIVEKIT_URL\): /);
  assertEquals(stdout.includes("\x1b"), false);
});

Deno.test("the program's doctor refuses a token file that is not there", async () => {
  const args = ["doctor", "--user-token-file", "/nowhere/token"];
  const { code, stdout, stderr } = await runService({ args, env: GOOD });
  assertEquals([code, stdout], [64, ""]);
  assertMatch(stderr, /--user-token-file \/nowhere\/token cannot be read/);
});
