import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import type { ReadyFinding } from "../../lib/diagnosis/ready/ready_check.ts";
import type { Reply } from "../../lib/http/endpoint.ts";
import { createReadiness } from "../../lib/http/readiness.ts";
import { createStartPage } from "../../lib/http/start_page.ts";
import { PAGE_STYLE } from "../../lib/http/start_page_style.ts";
import { captureLog } from "../support/captured_log.ts";
import { createManualClock } from "../support/manual_clock.ts";

const EVIDENCE = "evidence-at-10.0.0.1";
const REMEDY = "Run `this` <now> & then";
const PASS: ReadyFinding = { verdict: "PASS", evidence: EVIDENCE };
const SKIP: ReadyFinding = { verdict: "SKIP", evidence: EVIDENCE };
const WARN: ReadyFinding = { verdict: "WARN", evidence: EVIDENCE, remedy: REMEDY };
const FAIL: ReadyFinding = { verdict: "FAIL", evidence: EVIDENCE, remedy: REMEDY, hop: "tcp" };
const FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async function createWorld(findings: (ReadyFinding | Promise<ReadyFinding>)[] = [PASS]) {
  const clock = createManualClock();
  const { log } = await captureLog({ level: "info", format: "text", clock });
  const checks = findings.map((finding, n) => ({
    name: `check${n}`,
    title: `Check ${n}`,
    run: () => finding,
  }));
  const page = createStartPage({
    version: "1.2.3",
    endpoints: { "/get_token": "token in, token out", "/healthz": "alive" },
    look: createReadiness({ checks, log, clock }),
    clock,
  });
  const ask = async (accept?: string): Promise<Reply> => {
    const headers: Record<string, string> = accept === undefined ? {} : { accept };
    const context = { requestId: "id", route: "/", facts: {} };
    return await page(new Request("http://service.example/", { headers }), context);
  };
  return { ask, clock };
}

for (
  const { accept, type } of [
    { accept: undefined, type: "application/json" },
    { accept: "", type: "application/json" },
    { accept: "*/*", type: "application/json" },
    { accept: "application/json", type: "application/json" },
    { accept: "image/png", type: "application/json" },
    { accept: ";;;,=/", type: "application/json" },
    { accept: "text/html;q=0.1, application/json", type: "application/json" },
    { accept: "text/html;q=NaN;q=-1".repeat(500), type: undefined },
    { accept: ",".repeat(10_000), type: "application/json" },
    { accept: "<script>alert(1)</script>", type: "application/json" },
    { accept: "text/html", type: "text/html; charset=utf-8" },
    { accept: "text/*", type: "text/html; charset=utf-8" },
    { accept: FIREFOX, type: "text/html; charset=utf-8" },
  ]
) {
  const shown = accept?.slice(0, 40) ?? "(none)";
  Deno.test(`createStartPage() answers ${type ?? "something"} to Accept ${shown}`, async () => {
    const { ask } = await createWorld();
    const { status, contentType, headers, body } = await ask(accept);
    assertEquals([status, headers?.vary], [200, "accept"]);
    if (type !== undefined) assertEquals(contentType, type);
    assert(!body!.includes("<script"));
  });
}

Deno.test("createStartPage() tells programs what this is, and how it is", async () => {
  const { ask } = await createWorld([PASS, WARN, SKIP]);
  const { body } = await ask();
  const { name, version, description, endpoints, guide, status, checks } = JSON.parse(body!);
  assertEquals([name, version, description], [
    "matrixrtc-auth",
    "1.2.3",
    "MatrixRTC authorization service",
  ]);
  assertEquals(endpoints, { "/get_token": "token in, token out", "/healthz": "alive" });
  assertEquals([status, checks], ["ready", { check0: "ok", check1: "warning", check2: "unknown" }]);
  assertMatch(guide, /^https:/);
});

Deno.test("createStartPage() tells people the same", async () => {
  const { body } = await (await createWorld()).ask("text/html");
  const texts = [
    "<!doctype html>",
    '<html lang="en">',
    "version 1.2.3",
    "<code>/healthz</code>",
    "alive",
    "matrixrtc-auth doctor",
  ];
  for (const text of texts) assertStringIncludes(body!, text);
});

const STATES: [string, ReadyFinding[], state: string, words: string[]][] = [
  ["works", [PASS, SKIP], "The service works", ["OK", "Not known yet"]],
  ["warns", [PASS, WARN], "The service works, with warnings", ["OK", "Warning"]],
  ["fails", [FAIL, WARN, PASS], "The service does not work", ["Does not work", "Warning", "OK"]],
];
for (const [state, findings, title, words] of STATES) {
  Deno.test(`createStartPage() shows in words what ${state}, with remedies and no evidence`, async () => {
    const { ask } = await createWorld(findings);
    const { body } = await ask("text/html");
    assertStringIncludes(body!, `<strong>${title}</strong>`);
    assertEquals([...body!.matchAll(/<b>([^<]*)<\/b>/g)].map(([, word]) => word), words);
    const remedies = findings.filter(({ remedy }) => remedy !== undefined).length;
    const shown = "Run <code>this</code> &lt;now&gt; &amp; then";
    assertEquals(body!.split(shown).length - 1, remedies);
    for (const accept of ["text/html", "application/json"]) {
      const { body } = await ask(accept);
      assert(!body!.includes(EVIDENCE) && !body!.includes("10.0.0.1"), body);
    }
    assertWellFormed(body!);
  });
}

for (const accept of ["text/html", "application/json"]) {
  Deno.test(`createStartPage() waits two seconds for others, no longer, with ${accept}`, async () => {
    const slow = Promise.withResolvers<ReadyFinding>();
    const { ask, clock } = await createWorld([slow.promise]);
    const asked = ask(accept);
    await clock.waitForTimer(2_000);
    clock.advance(2_000);
    const { status, body } = await asked;
    assertEquals(status, 200);
    assertStringIncludes(body!, accept === "text/html" ? "Not known yet" : '"status":"unknown"');
    if (accept === "text/html") assertWellFormed(body!);
    slow.resolve(PASS);
    assertStringIncludes((await ask("text/html")).body!, "The service works");
  });
}

Deno.test("createStartPage() lets nothing run or load on its page but its own style", async () => {
  const { body, headers } = await (await createWorld([FAIL])).ask("text/html");
  const style = /<style>([^]*)<\/style>/.exec(body!)![1]!;
  const hash = createHash("sha256").update(style).digest("base64");
  assertEquals(headers!["content-security-policy"]!.split("; "), [
    "default-src 'none'",
    `style-src 'sha256-${hash}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ]);
  assertEquals(headers!["x-content-type-options"], "nosniff");
  assertEquals(headers!["referrer-policy"], "no-referrer");
  // What the policy forbids would only be missing: inline styles, and all that loads.
  assert(!/<script|\s(?:on\w+|style)=|javascript:|<img|<link|@import|url\(/i.test(body!));
});

Deno.test("the start page's colours can be read by day and by night", () => {
  const [day, night] = [...PAGE_STYLE.matchAll(/:root \{([^}]*)\}/g)].map(([, text]) =>
    new Map([...text!.matchAll(/--(\w+): (#\w{6})/g)].map(([, name, colour]) => [name!, colour!]))
  );
  for (const colours of [day!, night!]) {
    for (const text of ["ink", "quiet", "link", "pass", "warn", "fail", "skip"]) {
      for (const background of ["paper", "card"]) {
        const ratio = contrast(colours.get(text)!, colours.get(background)!);
        assert(ratio >= 4.5, `${text} on ${background}: ${ratio.toFixed(2)}`);
      }
    }
  }
});

/** As WCAG 2 has it. */
function contrast(one: string, other: string): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high! + 0.05) / (low! + 0.05);
}

function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

/** Every element ends where it must, every `&` begins an entity, and IDs are there for labels. */
function assertWellFormed(html: string): void {
  const open: string[] = [];
  for (const [, end, name] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)[^<>]*>/g)) {
    if (["meta", "wbr"].includes(name!)) continue;
    if (end === "") open.push(name!);
    else assertEquals(open.pop(), name);
  }
  assertEquals(open, []);
  assert(!/&(?!(?:amp|lt|gt|quot);)/.test(html));
  for (const [, id] of html.matchAll(/aria-labelledby="(\w+)"/g)) {
    assertStringIncludes(html, `id="${id}"`);
  }
  assertEquals(["<main>", "<header>", "<h1>", "<title>"].map((tag) => html.split(tag).length), [
    2,
    2,
    2,
    2,
  ]);
}
