// The metrics as the real Prometheus takes them, and the alerts as it judges them.

import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { test } from "../blackbox/support/watched.ts";
import { ask, getTokenBody, startWorld } from "../blackbox/support/world.ts";
import { readDocument } from "../readme/support/document.ts";
import { ROOT } from "../support/service.ts";
import { installed } from "./support/installed.ts";
import { freePorts } from "./support/ports.ts";
import { startProcess } from "./support/process.ts";
import { waitUntilReady } from "./support/ready.ts";

const RULES = join(ROOT, "deploy/prometheus/alerts.yml");
const RULE_TESTS = join(ROOT, "tests/deploy/prometheus/alerts_test.yml");
const SCRAPE = join(ROOT, "deploy/prometheus/prometheus.yml");

/** What Prometheus says of a target. */
interface Target {
  readonly health: string;
  readonly lastError: string;
  readonly labels: { readonly job: string };
}

/** What Prometheus says of a rule. */
interface Rule {
  readonly name: string;
  readonly health: string;
  readonly state: string;
  readonly lastError?: string;
}

async function promtool(...args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(installed("promtool"), { args }).output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

/** Prometheus with the sample configuration, but other addresses and more haste. */
async function startPrometheus(target: string) {
  const folder = await Deno.makeTempDir({ prefix: "prometheus-" });
  const [port] = freePorts(1) as [number];
  const sample = parse(await Deno.readTextFile(SCRAPE));
  const [job] = sample.scrape_configs;
  const config = {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: [RULES],
    scrape_configs: [{ ...job, scrape_interval: "1s", static_configs: [{ targets: [target] }] }],
  };
  const path = join(folder, "prometheus.yml");
  await Deno.writeTextFile(path, stringify(config));
  const server = startProcess(installed("prometheus"), {
    name: "prometheus",
    args: [
      `--config.file=${path}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
  });
  const url = `http://127.0.0.1:${port}`;

  async function get(query: string, signal?: AbortSignal) {
    const response = await fetch(`${url}/api/v1/${query}`, signal === undefined ? {} : { signal });
    return (await response.json()).data;
  }
  /** Waits for an answer that satisfies, as each comes after another scrape or evaluation. */
  async function until<T>(query: string, judge: (data: unknown) => T | undefined): Promise<T> {
    let result: T | undefined;
    await waitUntilReady(server, {
      timeoutMs: 30_000,
      probe: async (signal) => (result = judge(await get(query, signal))) !== undefined,
    });
    return result!;
  }
  return {
    get,
    until,
    /** The value of an expression that has one series. */
    async value(expression: string): Promise<number> {
      const { result } = await get(`query?query=${encodeURIComponent(expression)}`);
      assertEquals(result.length, 1, expression);
      return Number(result[0].value[1]);
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

test("promtool finds nothing wrong with rules and scrape sample", async () => {
  const rules = await promtool("check", "rules", RULES);
  assertEquals(rules.code, 0, rules.text);
  const folder = await Deno.makeTempDir();
  const path = join(folder, "prometheus.yml");
  const sample = parse(await Deno.readTextFile(SCRAPE));
  await Deno.writeTextFile(path, stringify({ ...sample, rule_files: [RULES] }));
  const config = await promtool("check", "config", path);
  assertEquals(config.code, 0, config.text);
  await Deno.remove(folder, { recursive: true });
});

test("promtool's rule tests: each alert fires when it should, none does in health", async () => {
  const { code, text } = await promtool("test", "rules", RULE_TESTS);
  assertEquals(code, 0, text);
});

for (const alert of await alertNames()) {
  test(`the rule tests notice when ${alert} never fires`, async () => {
    const folder = await Deno.makeTempDir();
    const rules = parse(await Deno.readTextFile(RULES));
    for (const rule of rules.groups[0].rules) {
      if (rule.alert === alert) rule.expr = `(${rule.expr}) and on () vector(1) == 0`;
    }
    await Deno.writeTextFile(join(folder, "rules.yml"), stringify(rules));
    const tests = parse(await Deno.readTextFile(RULE_TESTS));
    await Deno.writeTextFile(
      join(folder, "tests.yml"),
      stringify({ ...tests, rule_files: ["rules.yml"] }, { aliasDuplicateObjects: false }),
    );
    const { code, text } = await promtool("test", "rules", join(folder, "tests.yml"));
    assertEquals(code, 1, text);
    assert(text.includes(alert), text);
    await Deno.remove(folder, { recursive: true });
  });
}

async function alertNames(): Promise<string[]> {
  const { groups } = parse(await Deno.readTextFile(RULES));
  return groups[0].rules.map(({ alert }: { alert: string }) => alert);
}

test("promtool finds nothing wrong with what the service exposes", async () => {
  await using world = await startWorld({ MATRIXRTC_METRICS_BIND: "127.0.0.1:0" });
  const [, url] = await world.service.waitForLog(/metrics listening on (\S+)/);
  await ask(world.service, "POST", "/get_token", getTokenBody(world));
  const child = new Deno.Command(installed("promtool"), {
    args: ["check", "metrics"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const exposed = await (await fetch(`${url}/metrics`)).bytes();
  const writer = child.stdin.getWriter();
  await writer.write(exposed);
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assertEquals([code, text], [0, ""]);
});

test("a real Prometheus scrapes the service, and judges its alerts", async () => {
  await using world = await startWorld({ MATRIXRTC_METRICS_BIND: "127.0.0.1:0" });
  const { service } = world;
  const [, url] = await service.waitForLog(/metrics listening on (\S+)/);
  await using prometheus = await startPrometheus(new URL(url!).host);
  const target = await prometheus.until("targets", (data) => {
    const [target] = (data as { activeTargets: Target[] }).activeTargets;
    return target === undefined || target.health === "unknown" ? undefined : target;
  });
  assertEquals([target.health, target.lastError, target.labels.job], ["up", "", "matrixrtc-auth"]);

  assertEquals((await ask(service, "POST", "/get_token", getTokenBody(world))).status, 200);
  const tokens = 'matrixrtc_auth_requests_total{endpoint="/get_token",result="ok",access="full"}';
  await prometheus.until(`query?query=${encodeURIComponent(tokens)}`, (data) => {
    const { result } = data as { result: { value: [number, string] }[] };
    return result[0]?.value[1] === "1" ? true : undefined;
  });
  assertEquals(
    await prometheus.value('matrixrtc_auth_upstream_duration_seconds_count{call="userinfo"}'),
    1,
  );
  assert(await prometheus.value("process_resident_memory_bytes") > 10_000_000);

  // What the guide promises, by the type that Prometheus has understood.
  const metadata = await prometheus.get("metadata") as Record<string, { type: string }[]>;
  const guide = await readDocument("docs/metrics.md");
  for (const { cells, columns } of guide.rows) {
    if (columns[0] !== "metric") continue;
    const [name, type] = cells.map((cell) => cell.replaceAll("`", "")) as [string, string];
    assertEquals([name, metadata[name]?.map(({ type }) => type)], [name, [type]]);
  }

  const rules = await prometheus.until("rules", (data) => {
    const { groups } = data as { groups: { rules: Rule[] }[] };
    const rules = groups.flatMap(({ rules }) => rules);
    return rules.every(({ health }) => health !== "unknown") ? rules : undefined;
  });
  assertEquals(rules.map(({ name }) => name), await alertNames());
  for (const { name, health, lastError, state } of rules) {
    assertEquals([name, health, lastError, state], [name, "ok", undefined, "inactive"]);
  }
});
