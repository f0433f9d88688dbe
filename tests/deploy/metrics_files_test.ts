// The files for Prometheus and Grafana: that they fit each other, the guide, and what the service
// has. tests/e2e/metrics_test.ts gives the rules to the real Prometheus.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { parse } from "yaml";
import { listVariables } from "../../lib/config/variables/variables.ts";
import { createMetrics } from "../../lib/observability/metrics/metrics.ts";
import { readDocument } from "../readme/support/document.ts";
import { createManualClock } from "../support/manual_clock.ts";
import { ROOT } from "../support/service.ts";

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; description: string };
}
interface Panel {
  id: number;
  title: string;
  type: string;
  datasource?: { uid: string };
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; datasource: { uid: string } }[];
}

const read = (path: string) => Deno.readTextFile(`${ROOT}/${path}`);
const alerts = parse(await read("deploy/prometheus/alerts.yml"));
const alertTests = parse(await read("tests/deploy/prometheus/alerts_test.yml"));
const scrape = parse(await read("deploy/prometheus/prometheus.yml"));
const dashboard = JSON.parse(await read("deploy/grafana/dashboard.json"));
const guide = await readDocument("docs/metrics.md");
const rules: Rule[] = alerts.groups.flatMap(({ rules }: { rules: Rule[] }) => rules);
const panels: Panel[] = dashboard.panels;
const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

const documented = new Map(
  guide.rows.filter(({ columns }) => columns[0] === "metric").map(({ cells }) => {
    const [name, type, labels] = cells.map((cell) => cell.replaceAll("`", ""));
    return [name!, { type: type!, labels: labels!.split(", ").filter((label) => label !== "") }];
  }),
);

/** The metrics that an expression asks for, without what Prometheus adds to a histogram's name. */
function metricsIn(expression: string): string[] {
  const bare = expression.replace(/\{[^}]*\}/g, "");
  const names = bare.match(/\b(?:matrixrtc_auth|process)_[a-z_]+/g) ?? [];
  return names.map((name) => {
    const histogram = name.replace(/_(bucket|sum|count)$/, "");
    return documented.get(histogram)?.type === "histogram" ? histogram : name;
  });
}

/** The labels that an expression chooses by, for each metric. */
function labelsIn(expression: string): [metric: string, labels: string[]][] {
  return [...expression.matchAll(/((?:matrixrtc_auth|process)_[a-z_]+)\{([^}]*)\}/g)].map(
    ([, name, selector]) => [
      metricsIn(name!)[0]!,
      [...selector!.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map((match) => match[1]!),
    ],
  );
}

Deno.test("docs/metrics.md has every metric of the service with its type, and no other", () => {
  const config = {
    fullAccess: [],
    federationUrlOverrides: new Map(),
    appService: undefined as never,
  };
  const facts = { version: "1", runtime: "2", residentMemory: () => 1, cpuSeconds: () => 1 };
  const text = createMetrics(config, createManualClock(), facts).render();
  const exposed = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map((match) => match.slice(1, 3));
  assertEquals(exposed, [...documented].map(([name, { type }]) => [name, type]));
});

Deno.test("docs/metrics.md explains every label", () => {
  const explained = guide.rows.filter(({ columns }) => columns[0] === "label")
    .map(({ cells }) => cells[0]!.replaceAll("`", ""));
  const used = new Set([...documented.values()].flatMap(({ labels }) => labels));
  // What speaks for itself, or stands beside its metric.
  assertEquals(
    [...used].filter((label) => !["state", "version", "runtime"].includes(label)).sort(),
    explained.sort(),
  );
});

Deno.test("the dashboard shows every metric that the guide promises, and no other", () => {
  const shown = new Set(expressions.flatMap(metricsIn));
  assertEquals([...shown].sort(), [...documented.keys()].sort());
});

Deno.test("dashboard and alerts choose by labels that the metrics have", () => {
  const common = ["job", "instance", "le"];
  for (const expression of [...expressions, ...rules.map(({ expr }) => expr)]) {
    for (const [metric, labels] of labelsIn(expression)) {
      const known = [...common, ...documented.get(metric)!.labels];
      assertEquals(labels.filter((label) => !known.includes(label)), [], expression);
    }
  }
});

Deno.test("the dashboard can be imported anywhere: its data source is a variable", () => {
  assert(dashboard.schemaVersion >= 39);
  assertMatch(dashboard.uid, /^[\w-]{1,40}$/);
  const [source] = dashboard.templating.list;
  assertEquals([source.name, source.type, source.query], [
    "DS_PROMETHEUS",
    "datasource",
    "prometheus",
  ]);
  const uids = panels.flatMap(({ datasource, targets = [] }) => [
    ...(datasource === undefined ? [] : [datasource.uid]),
    ...targets.map((target) => target.datasource.uid),
  ]);
  assertEquals([...new Set(uids)], ["${DS_PROMETHEUS}"]);
});

Deno.test("the dashboard's panels have titles and places of their own", () => {
  assertEquals(new Set(panels.map(({ id }) => id)).size, panels.length);
  assertEquals(panels.filter(({ title }) => title === ""), []);
  const taken = new Map<string, string>();
  for (const { title, gridPos: { x, y, w, h } } of panels) {
    assert(x + w <= 24, title);
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        const place = `${column},${line}`;
        assertEquals(taken.get(place), undefined, `${title} lies over ${taken.get(place)}`);
        taken.set(place, title);
      }
    }
  }
});

Deno.test("alerts ask for metrics that exist", () => {
  const asked = rules.flatMap(({ expr }) => metricsIn(expr));
  assertEquals(asked.filter((name) => !documented.has(name)), []);
});

Deno.test("each alert says what is wrong and what to do, naming variables that exist", () => {
  const variables = new Set<string>(listVariables().map(([name]) => name));
  for (const { alert, annotations, labels } of rules) {
    assert(["critical", "warning"].includes(labels.severity), alert);
    assert(annotations.summary.length > 10 && annotations.summary.length < 80, alert);
    assert(annotations.description.length > 100, alert);
    const named = annotations.description.match(/\b(?:LIVEKIT|MATRIXRTC|SSL|HTTPS)_[A-Z_]+/g);
    assertEquals((named ?? []).filter((name) => !variables.has(name)), [], alert);
  }
});

Deno.test("docs/metrics.md lists the alerts with their severity", () => {
  const listed = guide.rows.filter(({ columns }) => columns[0] === "alert")
    .map(({ cells }) => [cells[0]!.replaceAll("`", ""), cells[1]]);
  assertEquals(listed, rules.map(({ alert, labels }) => [alert, labels.severity]));
});

Deno.test("a rule test fires each alert", () => {
  const fired = new Set(
    JSON.stringify(alertTests.tests.map(
      ({ promql_expr_test: checks }: { promql_expr_test: { exp_samples: unknown[] }[] }) =>
        checks.map((check) => check.exp_samples),
    )).match(/MatrixrtcAuth\w+/g),
  );
  assertEquals([...fired].sort(), rules.map(({ alert }) => alert).sort());
});

Deno.test("README has the scrape sample, and the alerts know the job by its name", async () => {
  const readme = await readDocument("README.md");
  const samples = readme.blocks.filter(({ language }) => language === "yaml")
    .map(({ text }) => parse(text)).filter((sample) => sample?.scrape_configs !== undefined);
  assertEquals(samples.length, 1);
  const [job] = scrape.scrape_configs;
  const { scrape_interval: _interval, ...rest } = job;
  assertEquals(samples[0], { ...scrape, scrape_configs: [rest] });
  const jobs = new Set(rules.flatMap(({ expr }) => expr.match(/(?<=job=")[^"]*/g) ?? []));
  assertEquals([...jobs], [job.job_name]);
});
