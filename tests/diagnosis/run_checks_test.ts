import { assertEquals } from "@std/assert";
import type { Check, Finding } from "../../lib/diagnosis/check.ts";
import { exitCodeOf, runChecks, summarize } from "../../lib/diagnosis/run_checks.ts";
import { Secret } from "../../lib/secret.ts";
import { createManualClock } from "../support/manual_clock.ts";

const good: Finding = { verdict: "PASS", evidence: "well" };
const check = (id: Check<unknown>["id"], run: Check<unknown>["run"]): Check<unknown> => ({
  id,
  title: `title of ${id}`,
  run,
});

Deno.test("runChecks() keeps the order of checks, whichever ends first", async () => {
  const clock = createManualClock();
  const later = Promise.withResolvers<Finding>();
  const ended: string[] = [];
  const running = runChecks([check("A1", () => later.promise), check("A2", () => good)], {}, {
    clock,
    onResult(result, done, total) {
      ended.push(`${result.id} ${done}/${total}`);
      if (result.id === "A2") later.resolve(good);
    },
  });
  assertEquals((await running).map(({ id }) => id), ["A1", "A2"]);
  assertEquals(ended, ["A2 1/2", "A1 2/2"]);
});

Deno.test("runChecks() has no more in work than it may", async () => {
  let inWork = 0;
  let most = 0;
  const run = async () => {
    most = Math.max(most, ++inWork);
    await Promise.resolve();
    inWork--;
    return good;
  };
  const checks = Array.from({ length: 9 }, () => check("B1", run));
  await runChecks(checks, {}, { clock: createManualClock(), concurrency: 3 });
  assertEquals(most, 3);
});

Deno.test("runChecks() gives up a check that does not end, and goes on", async () => {
  const clock = createManualClock();
  const never = () => new Promise<Finding>(() => {});
  const running = runChecks([check("A1", never), check("A2", () => good)], {}, {
    clock,
    concurrency: 1,
    timeoutMs: 4_000,
  });
  await clock.waitForTimer(4_000);
  clock.advance(4_000);
  const [first, second] = await running;
  assertEquals([first!.verdict, first!.ms], ["FAIL", 4_000]);
  assertEquals(first!.evidence, "the check did not end in 4 s");
  assertEquals(second!.verdict, "PASS");
});

Deno.test("runChecks() ends in time however many checks hang", async () => {
  const clock = createManualClock();
  const never = () => new Promise<Finding>(() => {});
  const checks = [check("A1", never), check("A2", never), check("A3", never)];
  const running = runChecks(checks, {}, {
    clock,
    concurrency: 1,
    timeoutMs: 4_000,
    totalMs: 6_000,
  });
  await clock.waitForTimer(4_000);
  clock.advance(4_000);
  await clock.waitForTimer(2_000);
  clock.advance(2_000);
  assertEquals((await running).map(({ verdict, ms }) => [verdict, ms]), [
    ["FAIL", 4_000],
    ["FAIL", 2_000],
    ["FAIL", 0],
  ]);
});

Deno.test("runChecks() lets a check have more time of its own", async () => {
  const clock = createManualClock();
  const never = () => new Promise<Finding>(() => {});
  const running = runChecks([{ ...check("A1", never), timeoutMs: 20_000 }], {}, { clock });
  await clock.waitForTimer(20_000);
  clock.advance(20_000);
  assertEquals((await running)[0]!.ms, 20_000);
});

Deno.test("runChecks() makes a failure of what a check throws, with a remedy", async () => {
  const clock = createManualClock();
  const results = await runChecks(
    [
      check("A1", () => {
        throw new TypeError("oh\nno");
      }),
      check("A2", () => Promise.reject(new Error("never"))),
    ],
    {},
    { clock },
  );
  assertEquals(results.map(({ verdict, evidence }) => [verdict, evidence]), [
    ["FAIL", "oh no"],
    ["FAIL", "never"],
  ]);
  for (const { remedy } of results) assertEquals(remedy?.includes("look at the checks"), true);
});

Deno.test("runChecks() shows no secret, whatever a check says", async () => {
  const secret = new Secret("hunter2hunter2");
  const say = `the token hunter2hunter2`;
  const [result] = await runChecks(
    [{
      ...check("A1", () => ({ verdict: "FAIL", evidence: say, remedy: say })),
      subject: say,
    }],
    {},
    { clock: createManualClock(), secrets: [secret] },
  );
  assertEquals(JSON.stringify(result).includes("hunter2"), false);
  assertEquals(result!.evidence, "the token [secret]");
});

for (
  const { verdicts, code } of [
    { verdicts: [], code: 0 },
    { verdicts: ["PASS", "SKIP"], code: 0 },
    { verdicts: ["PASS", "WARN"], code: 1 },
    { verdicts: ["WARN", "FAIL", "PASS"], code: 2 },
  ] as const
) {
  Deno.test(`exitCodeOf() is ${code} for ${verdicts.join(", ") || "nothing"}`, () => {
    assertEquals(exitCodeOf(summarize(verdicts.map((verdict) => ({ verdict })))), code);
  });
}
