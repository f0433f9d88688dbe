import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseCapacityArguments } from "../../tools/capacity/arguments.ts";
import { type Rates, restartPeriodSeconds, workOut } from "../../tools/capacity/formula.ts";
import { Homeserver } from "../../tools/capacity/homeserver.ts";
import { Meter } from "../../tools/capacity/meter.ts";
import { type Scenario, SYNAPSE_DEFAULT, USUAL } from "../../tools/capacity/scenario.ts";
import { fill, growth, lineOf, offPercent } from "../../tools/capacity/sheet.ts";
import { simulate } from "../../tools/capacity/simulate.ts";
import { simulateWaves } from "../../tools/capacity/waves.ts";
import { createVirtualClock } from "../../tools/capacity/virtual_clock.ts";
import { ROOT } from "../support/service.ts";
import { createJob } from "../delayed_leave/homeserver/queue_world.ts";

const TOLERANCE = 0.1;
const FEW: Scenario = { ...USUAL, participants: 100 };

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "an hour's delay": FEW,
  "a minute's delay": { ...FEW, delaySeconds: 60 },
  "ten seconds' delay": { ...FEW, delaySeconds: 10, callMinutes: 10 },
  "no webhooks": { ...FEW, hasWebhooks: false, intervalSeconds: 10 },
  "a slow homeserver": { ...FEW, homeserverMs: 100, delaySeconds: 600 },
  "three replicas": { ...FEW, replicas: 3, roomSize: 5, callMinutes: 5 },
};

for (const [what, scenario] of Object.entries(SCENARIOS)) {
  Deno.test(`simulation and formula agree about ${what}`, async () => {
    const expected = workOut(scenario);
    const { rates, lost, refused } = await simulate(scenario, { seconds: 0, joins: 1_500 });
    for (const kind of Object.keys(expected) as (keyof Rates)[]) {
      const off = Math.abs(rates[kind] / expected[kind] - 1);
      assert(off < TOLERANCE, `${kind}: ${rates[kind]}, not ${expected[kind]}`);
    }
    assertEquals([lost, refused], [0, 0]);
  });
}

Deno.test("the simulation finds who is lost behind a limit, and that others are not", async () => {
  const limited = { ...FEW, delaySeconds: 60, limit: SYNAPSE_DEFAULT, intervalSeconds: 0 };
  const duration = { seconds: 900, joins: 0 };
  const within = await simulate({ ...limited, participants: 30 }, duration);
  assertEquals([within.lost, within.latestRestartPercent < 90], [0, true]);
  const beyond = await simulate({ ...limited, participants: 150 }, duration);
  assert(beyond.lost > 10, `${beyond.lost}`);
  assert(beyond.limited > 0);
});

Deno.test("waves take what the homeserver allows, and cost nobody", async () => {
  const limit = { perSecond: 10, burst: 20 };
  const wave = await simulateWaves(200, 60, limit);
  assertEquals(wave.lost, 0);
  // 18 s would be perfect; what looking for the limit costs is time.
  for (const seconds of [wave.restartSeconds, wave.sendSeconds]) {
    assert(seconds > 16 && seconds < 24, `${seconds}`);
  }
  assert(wave.sfuMost >= 20, `${wave.sfuMost}`);
  assert((await simulateWaves(1_500, 60, limit)).lost > 0);
});

Deno.test("a million participants are computed, and all that is simulated is below", async () => {
  const lines = growth();
  assertEquals(lines.length, 18);
  const largest = lines.filter(({ scenario }) => scenario.participants === 1_000_000);
  // Restarts of 60 s come every 37 s on average.
  assertEquals(restartPeriodSeconds(60), 37);
  assertEquals(largest.map(({ formula }) => Math.round(formula.restarts / 1_000)), [182, 27, 1]);
  for (const line of largest) assertEquals((await fill(line, 100_000)).simulated, undefined);
});

Deno.test("offPercent() tells the largest difference", async () => {
  const line = await fill(lineOf("", { ...FEW, participants: 10 }), 10);
  assertEquals(offPercent({ ...line, simulated: { ...line.simulated!, rates: line.formula } }), 0);
  const rates = { ...line.formula, sends: line.formula.sends * 1.5 };
  const off = offPercent({ ...line, simulated: { ...line.simulated!, rates } });
  assertEquals(off?.toFixed(6), "50.000000");
});

Deno.test("Homeserver notices what it had to send by itself", async () => {
  const clock = createVirtualClock();
  const homeserver = new Homeserver(clock, 10, undefined);
  const { attempt } = homeserver;
  for (const id of ["kept", "late", "forgotten"]) homeserver.schedule(id, 1_000);
  await clock.pass(890);
  const kept = attempt(createJob("kept"), "restart", 1_000);
  await clock.pass(200);
  assertEquals((await kept).kind, "done");
  const late = attempt(createJob("late"), "restart", 1_000);
  await clock.pass(10);
  assertEquals((await late).kind, "gone");
  for (const id of ["kept", "late", "forgotten"]) homeserver.leave(id);
  assertEquals([homeserver.lost, homeserver.latestRestartPercent], [2, 90]);
  await clock.pass(490);
  const sent = attempt(createJob("kept"), "send", 1_000);
  await clock.pass(10);
  assertEquals([(await sent).kind, homeserver.longestLeaveSeconds], ["done", 0.5]);
});

Deno.test("Homeserver limits as Synapse does", async () => {
  const clock = createVirtualClock();
  const homeserver = new Homeserver(clock, 1, SYNAPSE_DEFAULT);
  homeserver.schedule("id", 60_000);
  const act = async () => {
    const outcome = homeserver.attempt(createJob("id"), "restart", 1_000);
    await clock.pass(1);
    return await outcome;
  };
  for (let n = 0; n < 5; n++) assertEquals((await act()).kind, "done");
  assertEquals(await act(), { kind: "limited", retryAfterMs: 1_000 });
  await clock.pass(1_000);
  assertEquals((await act()).kind, "done");
  assertEquals((await act()).kind, "limited");
});

Deno.test("Meter counts by kind, and finds the largest burst", async () => {
  const clock = createVirtualClock();
  const meter = new Meter<"a" | "b">(clock);
  for (const at of [0, 90, 150, 990, 1_000]) clock.after(at, () => meter.count("a"));
  clock.after(1_050, () => meter.count("b", 2));
  await clock.pass(2_000);
  assertEquals([meter.of("a"), meter.of("b")], [5, 2]);
  assertEquals(meter.bursts, { inOneSecond: 4, in100Ms: 3 });
  meter.reset();
  assertEquals([meter.of("a"), meter.bursts.inOneSecond], [0, 0]);
});

Deno.test("parseCapacityArguments() refuses what makes no sense", () => {
  assertEquals(parseCapacityArguments(["--help"]), undefined);
  const usual = parseCapacityArguments([])!;
  assertEquals([...usual.parts], ["growth", "variations", "limits", "waves"]);
  assertEquals([usual.scenario, usual.upTo, usual.json], [undefined, 100_000, false]);
  assertEquals(parseCapacityArguments(["--replicas", "1"])!.scenario, USUAL);
  for (
    const args of [
      ["--participants", "0"],
      ["--participants", "many"],
      ["--vanishing", "2"],
      ["--limit", "100"],
      ["--limit", "a:5"],
      ["--only", "all"],
      ["--delay", ""],
      ["--unknown"],
    ]
  ) assertThrows(() => parseCapacityArguments(args), TypeError);
});

Deno.test("deno task capacity prints a table, or JSON", async () => {
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "capacity", "--participants", "10", "--delay", "60", ...args],
      cwd: ROOT,
      stdin: "null",
      signal: AbortSignal.timeout(90_000),
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  };
  const [head = "", , line = ""] = (await run()).split("\n");
  assert(head.startsWith("| participants | rooms | delay |"), head);
  assert(line.startsWith("| 10 | 1 | 60 s | 1 |"), line);
  const { lines: [{ formula, simulated }] } = JSON.parse(await run("--json"));
  assert(Math.abs(simulated.rates.restarts / formula.restarts - 1) < TOLERANCE);
});
