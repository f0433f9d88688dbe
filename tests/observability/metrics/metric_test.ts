import { assertEquals } from "@std/assert";
import { Counter, Gauge, Histogram, Info } from "../../../lib/observability/metrics/metric.ts";

const HEAD = { name: "m", help: "Help." };

Deno.test("Counter shows every series from the start while they are few", () => {
  const counter = new Counter({ ...HEAD, labels: { a: ["x", "y"], b: ["1", "2"] } });
  counter.add("y", "1");
  counter.add("y", "1");
  assertEquals(
    counter.render(),
    "# HELP m Help.\n# TYPE m counter\n" +
      'm{a="x",b="1"} 0\nm{a="x",b="2"} 0\nm{a="y",b="1"} 2\nm{a="y",b="2"} 0\n',
  );
});

Deno.test("Counter shows only what has been counted where series are many", () => {
  const values = Array.from({ length: 11 }, (_, at) => `v${at}`);
  const counter = new Counter({ ...HEAD, labels: { a: values, b: values } });
  counter.add("v10", "v3");
  assertEquals(counter.render(), '# HELP m Help.\n# TYPE m counter\nm{a="v10",b="v3"} 1\n');
});

Deno.test("Counter counts whatever is not among its labels' values as other", () => {
  const counter = new Counter({ ...HEAD, labels: { a: ["x"], b: ["1"] } });
  for (let at = 0; at < 1_000; at++) counter.add(`evil"\n${at}`, "1");
  for (const name of ["__proto__", "constructor", "", "other"]) counter.add(name, name);
  counter.add("x");
  assertEquals(
    counter.render().split("\n").slice(2, -1).sort(),
    [
      'm{a="other",b="1"} 1000',
      'm{a="other",b="other"} 4',
      'm{a="x",b="1"} 0',
      'm{a="x",b="other"} 1',
    ],
  );
});

Deno.test("Gauge asks each time, and shows nothing of what is not known", () => {
  let value: number | undefined;
  const gauge = new Gauge({ ...HEAD, read: () => value });
  assertEquals(gauge.render(), "# HELP m Help.\n# TYPE m gauge\n");
  value = 1.5;
  assertEquals(gauge.render(), "# HELP m Help.\n# TYPE m gauge\nm 1.5\n");
  value = 0;
  assertEquals(gauge.render(), "# HELP m Help.\n# TYPE m gauge\nm 0\n");
});

Deno.test("Gauge takes one value for each of a label's", () => {
  const read = () => ({ on: 2, off: 1 });
  const gauge = new Gauge({ ...HEAD, labels: { state: ["on", "off"] }, read, type: "counter" });
  assertEquals(gauge.render().split("\n").slice(1, -1), [
    "# TYPE m counter",
    'm{state="on"} 2',
    'm{state="off"} 1',
  ]);
});

Deno.test("Histogram counts a value in its bucket and all above", () => {
  const histogram = new Histogram({ ...HEAD, labels: { a: ["x"] }, bounds: [1, 2.5] });
  for (const value of [0, 1, 2, 2.5, 4]) histogram.observe(value, "x");
  assertEquals(
    histogram.render(),
    "# HELP m Help.\n# TYPE m histogram\n" +
      'm_bucket{a="x",le="1"} 2\nm_bucket{a="x",le="2.5"} 4\nm_bucket{a="x",le="+Inf"} 5\n' +
      'm_sum{a="x"} 9.5\nm_count{a="x"} 5\n',
  );
});

Deno.test("Histogram without labels is shown from the start", () => {
  const histogram = new Histogram({ ...HEAD, bounds: [1] });
  assertEquals(
    histogram.render(),
    "# HELP m Help.\n# TYPE m histogram\n" +
      'm_bucket{le="1"} 0\nm_bucket{le="+Inf"} 0\nm_sum 0\nm_count 0\n',
  );
});

Deno.test("Info has what it tells in its labels", () => {
  const info = new Info(HEAD, { version: "1.2.3", runtime: "2.9.6" });
  assertEquals(
    info.render(),
    '# HELP m Help.\n# TYPE m gauge\nm{version="1.2.3",runtime="2.9.6"} 1\n',
  );
});
