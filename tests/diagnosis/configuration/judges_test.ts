import { assertEquals, assertThrows } from "@std/assert";
import { findBindFacts } from "../../../lib/diagnosis/configuration/bind_facts.ts";
import { judgeAccess } from "../../../lib/diagnosis/configuration/judge_access.ts";
import { judgeBind } from "../../../lib/diagnosis/configuration/judge_bind.ts";
import { judgeSecret } from "../../../lib/diagnosis/configuration/judge_secret.ts";
import { judgeSfuUrl } from "../../../lib/diagnosis/configuration/judge_sfu_url.ts";
import { judgeFault } from "../../../lib/diagnosis/configuration/faults.ts";
import { judgeWarning } from "../../../lib/diagnosis/configuration/warnings.ts";
import { ConfigError } from "../../../lib/config/config_error.ts";
import { loadConfig } from "../../../lib/config/load_config.ts";
import { startHttpServer } from "../../fakes/http_server.ts";
import { answer, assertFinding, refused } from "../support/answer.ts";

for (
  const [secret, verdict, says] of [
    ["a-secret-of-thirty-two-characters!", "PASS", /34 characters/],
    ["x".repeat(32), "PASS", undefined],
    ["x".repeat(31), "WARN", /31 characters.*generate-keys/],
    ["secret", "WARN", /everybody knows/],
    ["DevKey", "WARN", /everybody knows/],
  ] as const
) {
  Deno.test(`judgeSecret() says ${verdict} of ${secret.length} characters`, () => {
    const finding = judgeSecret(secret);
    assertFinding(finding, verdict, says);
    assertEquals(JSON.stringify(finding).includes(`"${secret}"`), false);
  });
}

for (
  const [url, verdict, says] of [
    ["wss://sfu.example.org", "PASS", undefined],
    ["wss://example.org/livekit/sfu", "PASS", undefined],
    ["wss://8.8.8.8:7880", "PASS", undefined],
    ["ws://livekit:7880", "FAIL", /container network.*LIVEKIT_INTERNAL_URL/],
    ["wss://sfu.example.org/rtc", "FAIL", /Remove \/rtc/],
    ["wss://sfu.example.org/rtc/v1/", "FAIL", /Remove \/rtc/],
    ["wss://sfu.example.org/", "WARN", /slash at the end/],
    ["ws://sfu.example.org", "WARN", /without TLS/],
    ["https://sfu.example.org", "WARN", /wss:\/\/ in place of https/],
    ["ws://localhost:7880", "WARN", /own machine/],
    ["ws://[::1]:7880", "WARN", /own machine/],
    ["wss://192.168.1.5", "WARN", /private address/],
  ] as const
) {
  Deno.test(`judgeSfuUrl() says ${verdict} of ${url}`, () => {
    assertFinding(judgeSfuUrl(url), verdict, says);
  });
}

Deno.test("judgeAccess() misses a server that is looked at", () => {
  const listed = { fullAccess: ["a.example"] };
  assertFinding(judgeAccess(listed, ["a.example"]), "PASS", /^a\.example/);
  assertFinding(judgeAccess(listed, ["b.example"]), "WARN", /Add b\.example/);
  // Another server may be looked at beside the own one.
  assertFinding(judgeAccess(listed, ["a.example", "b.example"]), "PASS");
});

for (
  const [states, verdict, says] of [
    [["free", "free"], "PASS", /is free/],
    [["ours"], "PASS", /where the service answers/],
    [["taken", "free"], "FAIL", /another address in LIVEKIT_JWT_BIND/],
    [["no-address", "free"], "WARN", /LIVEKIT_JWT_BIND=0\.0\.0\.0:8080/],
    [["no-address"], "FAIL", /an address of this host/],
    [["forbidden"], "FAIL", /from 1024/],
    [["no-folder"], "FAIL", /folder/],
  ] as const
) {
  Deno.test(`judgeBind() says ${verdict} of ${states.join(", ")}`, () => {
    const facts = states.map((state) => ({ address: "[::]:8080", state }));
    assertFinding(judgeBind(facts), verdict, says);
  });
}

Deno.test("findBindFacts() tells the service from another program", async () => {
  await using server = startHttpServer({ handler: () => new Response() });
  const { port } = server;
  const listen = { kind: "tcp", hostname: "127.0.0.1", port } as const;
  const stateBy = async (exchange: Parameters<typeof answer>[0] | undefined) => {
    const [fact] = await findBindFacts(
      listen,
      () => Promise.resolve(exchange === undefined ? refused : answer(exchange)),
    );
    return fact?.state;
  };
  assertEquals(await stateBy({ headers: { "x-request-id": "r1" } }), "ours");
  assertEquals(await stateBy({}), "taken");
  assertEquals(await stateBy(undefined), "taken");
});

Deno.test("findBindFacts() sees what is free, and what is no address of this host", async () => {
  const probe = () => Promise.resolve(refused);
  const of = async (hostname: string) =>
    (await findBindFacts({ kind: "tcp", hostname, port: 0 }, probe))[0]?.state;
  assertEquals(await of("127.0.0.1"), "free");
  assertEquals(await of("192.0.2.1"), "no-address");
});

Deno.test("findBindFacts() looks at the place of a unix socket", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const probe = () => Promise.resolve(refused);
    await Deno.writeTextFile(`${folder}/file`, "");
    const of = async (path: string) =>
      (await findBindFacts({ kind: "unix", path }, probe))[0]?.state;
    assertEquals(await of(`${folder}/socket`), "free");
    assertEquals(await of(`${folder}/none/socket`), "no-folder");
    assertEquals(await of(`${folder}/file`), "taken");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("every fault of a configuration has a remedy that names the variable", () => {
  const env = { LIVEKIT_URL: "sfu", LIVEKIT_JWT_BIND: "nowhere", LIVEKIT_KEY: "key" };
  const { faults } = assertThrows(() => loadConfig({ env, readFile: () => "" }), ConfigError);
  assertEquals(faults.map(({ variable }) => variable), [
    "LIVEKIT_URL",
    "LIVEKIT_JWT_BIND",
    "LIVEKIT_SECRET",
  ]);
  for (const fault of faults) {
    assertFinding(judgeFault(fault), "FAIL", new RegExp(`→ .*${fault.variable}`));
  }
});

Deno.test("judgeWarning() always has something to do", () => {
  const variable = "LIVEKIT_X";
  assertFinding(
    judgeWarning({ variable, message: "LIVEKIT_X is odd." }),
    "WARN",
    /→ Correct LIVEKIT_X/,
  );
  assertFinding(
    judgeWarning({
      variable,
      message: "LIVEKIT_X is not known and ignored: did you mean LIVEKIT_Y?",
    }),
    "WARN",
    /ignored → Did you mean LIVEKIT_Y\?$/,
  );
});
