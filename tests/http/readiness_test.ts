import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { ReadyCheck, ReadyFinding } from "../../lib/diagnosis/ready/ready_check.ts";
import { createReadiness, createReadinessEndpoint } from "../../lib/http/readiness.ts";
import { captureLog } from "../support/captured_log.ts";
import { createManualClock } from "../support/manual_clock.ts";

const PASS: ReadyFinding = { verdict: "PASS", evidence: "all is well" };
const REFUSED: ReadyFinding = {
  verdict: "FAIL",
  evidence: "refused by 10.0.0.1",
  hop: "tcp",
  remedy: "Start it.",
};

type Runs = Record<string, ReadyCheck["run"]>;

async function createWorld(runs: Runs, parts: Partial<ReadyCheck> = { isVital: true }) {
  const clock = createManualClock();
  const { log, logText } = await captureLog({ level: "info", format: "text", clock });
  const checks = Object.entries(runs).map(([name, run]) => ({ name, title: name, run, ...parts }));
  const look = createReadiness({ checks, log, clock });
  const endpoint = createReadinessEndpoint(look);
  const ask = async () => {
    const context = { requestId: "id", route: "/readyz", facts: {} };
    const { status, contentType, body } = await endpoint(new Request("http://a/readyz"), context);
    return { status, contentType, body: JSON.parse(body!) };
  };
  return { clock, look, ask, logText };
}

Deno.test("createReadinessEndpoint() is ready when all checks pass", async () => {
  const { ask, logText } = await createWorld({ sfu: () => PASS, store: () => PASS });
  assertEquals(await ask(), {
    status: 200,
    contentType: "application/json",
    body: { status: "ready", checks: { sfu: "ok", store: "ok" } },
  });
  assertEquals(await logText(), "");
});

Deno.test("createReadinessEndpoint() is not ready when one fails, and tells the log why", async () => {
  const { ask, logText } = await createWorld({ sfu: () => REFUSED, store: () => PASS });
  assertEquals((await ask()).status, 503);
  assertEquals((await ask()).body, {
    status: "not ready",
    checks: { sfu: "failed", store: "ok" },
  });
  assertStringIncludes(
    await logText(),
    "WARNING not ready: refused by 10.0.0.1 check=sfu hop=tcp",
  );
});

Deno.test("createReadinessEndpoint() is ready with warnings, and with what is not known", async () => {
  const { ask } = await createWorld({
    homeserver: () => ({ ...REFUSED, verdict: "WARN" }),
    webhooks: () => ({ verdict: "SKIP", evidence: "none yet" }),
  });
  const { status, body } = await ask();
  assertEquals([status, body], [200, {
    status: "ready",
    checks: { homeserver: "warning", webhooks: "unknown" },
  }]);
});

for (const [isVital, word, status] of [[true, "failed", 503], [false, "warning", 200]] as const) {
  Deno.test(`createReadinessEndpoint() takes a bug in a check for ${word}`, async () => {
    const bug = () => {
      throw new TypeError("bug at 10.0.0.1");
    };
    const { ask, look, logText } = await createWorld({ sfu: bug }, { isVital });
    const answer = await ask();
    assertEquals([answer.status, answer.body.checks], [status, { sfu: word }]);
    assert(!JSON.stringify(await look()).includes("10.0.0.1"));
    assertStringIncludes(await logText(), "bug at 10.0.0.1");
  });
}

Deno.test("createReadiness() looks again after five seconds, not before", async () => {
  let looks = 0;
  let finding = PASS;
  const { ask, clock } = await createWorld({
    sfu: () => {
      looks++;
      return finding;
    },
  });
  await Promise.all([ask(), ask(), ask()]);
  finding = REFUSED;
  clock.advance(4_999);
  assertEquals([(await ask()).status, looks], [200, 1]);
  clock.advance(1);
  assertEquals([(await ask()).status, looks], [503, 2]);
  finding = PASS;
  clock.advance(4_999);
  assertEquals([(await ask()).status, looks], [503, 2]);
  clock.advance(1);
  assertEquals([(await ask()).status, looks], [200, 3]);
});

Deno.test("createReadiness() has one look at a time, however long it takes", async () => {
  let looks = 0;
  const answer = Promise.withResolvers<ReadyFinding>();
  const { ask, clock } = await createWorld({
    sfu: () => {
      looks++;
      return answer.promise;
    },
  });
  const asked: Promise<{ status: number }>[] = [];
  for (let i = 0; i < 1_000; i++) {
    asked.push(ask());
    clock.advance(20);
  }
  answer.resolve(PASS);
  assertEquals(new Set((await Promise.all(asked)).map(({ status }) => status)), new Set([200]));
  assertEquals(looks, 1);
});

Deno.test("createReadiness() tells the log of changes, once each", async () => {
  let finding = REFUSED;
  const { ask, clock, logText } = await createWorld({ sfu: () => finding });
  const askLater = async (next: ReadyFinding) => {
    finding = next;
    clock.advance(5_000);
    await ask();
  };
  await ask();
  await askLater({ ...REFUSED, evidence: "refused after 7 ms" });
  await askLater({ ...REFUSED, remedy: "Correct the key.", evidence: "wrong key" });
  await askLater(PASS);
  await askLater(PASS);
  const lines = (await logText()).trim().split("\n").map((line) => line.replace(/^\S+ /, ""));
  assertEquals(lines, [
    "WARNING not ready: refused by 10.0.0.1 check=sfu hop=tcp",
    "WARNING not ready: wrong key check=sfu hop=tcp",
    "INFO    works again check=sfu",
  ]);
});

Deno.test("createReadiness() repeats nothing that the log has already", async () => {
  const { ask, logText } = await createWorld(
    { store: () => ({ ...REFUSED, verdict: "WARN" }) },
    { isLogged: true },
  );
  await ask();
  assertEquals(await logText(), "");
});
