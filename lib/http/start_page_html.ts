/** The start page for people, as HTML. */

import type { Verdict } from "../diagnosis/check.ts";
import type { ReadyResult } from "./readiness.ts";
import { PAGE_STYLE } from "./start_page_style.ts";

/** What the page shows. All of it is public. */
export interface PageContent {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly endpoints: Readonly<Record<string, string>>;
  /** URL of the guide. */
  readonly guide: string;
  /** Absent while it is not known how things are. */
  readonly results?: readonly ReadyResult[];
}

/** A verdict as people see it: a colour, a sign and words, so that no one is needed alone. */
interface Look {
  readonly tone: string;
  readonly sign: string;
  readonly word: string;
}

const LOOKS: Readonly<Record<Verdict, Look>> = {
  PASS: { tone: "pass", sign: "\u2713", word: "OK" },
  WARN: { tone: "warn", sign: "!", word: "Warning" },
  FAIL: { tone: "fail", sign: "\u2715", word: "Does not work" },
  SKIP: { tone: "skip", sign: "?", word: "Not known yet" },
};

const STATES: Readonly<Record<Verdict, readonly [title: string, text: string]>> = {
  PASS: ["The service works", "What it depends on answers."],
  WARN: ["The service works, with warnings", "Calls can be joined. Something needs attention."],
  FAIL: ["The service does not work", "Nobody can join a call before this is put right."],
  SKIP: [
    "Not known yet",
    "What the service depends on has not answered so far. Load the page again.",
  ],
};

/** Renders the page. */
export function renderPage(content: PageContent): string {
  const { name, version, description, endpoints, guide, results } = content;
  const paths = Object.entries(endpoints).map(([path, what]) =>
    `<div><dt><code>${breakable(escape(path))}</code></dt><dd>${escape(what)}</dd></div>`
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(name)}: ${escape(STATES[overall(results)][0].toLowerCase())}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<header>
<h1>${escape(name)}</h1>
<p class="quiet">${escape(description)}, version ${escape(version)}</p>
<p>It lets users of Matrix homeservers into calls. Their clients come here by themselves; there is
nothing to do here for people.</p>
</header>
<main>
${renderState(overall(results))}
${results === undefined ? "" : renderChecks(results)}
<section aria-labelledby="endpoints">
<h2 id="endpoints">What answers here</h2>
<dl class="card">
${paths.join("\n")}
</dl>
</section>
<section aria-labelledby="help">
<h2 id="help">If you run this service</h2>
<div class="card help">
<p>The doctor looks at much more, and says what it saw. Run it where the service runs, with the
same configuration:</p>
<pre><code>matrixrtc-auth doctor</code></pre>
<p><a href="${escape(guide)}" rel="noreferrer">Guide for operators</a></p>
</div>
</section>
</main>
</body>
</html>
`;
}

function overall(results: readonly ReadyResult[] | undefined): Verdict {
  if (results === undefined) return "SKIP";
  const has = (verdict: Verdict) => results.some((result) => result.verdict === verdict);
  return has("FAIL") ? "FAIL" : has("WARN") ? "WARN" : "PASS";
}

function renderState(verdict: Verdict): string {
  const [title, text] = STATES[verdict];
  const { tone } = LOOKS[verdict];
  return `<div class="card state ${tone}" role="status">${renderSign(verdict)}
<div><strong>${title}</strong><span>${text}</span></div></div>`;
}

function renderSign(verdict: Verdict): string {
  return `<span class="sign" aria-hidden="true">${LOOKS[verdict].sign}</span>`;
}

function renderChecks(results: readonly ReadyResult[]): string {
  const items = results.map(({ title, verdict, remedy }) => {
    const { tone, word } = LOOKS[verdict];
    const advice = remedy === undefined ? "" : `\n<p class="quiet">${withCode(escape(remedy))}</p>`;
    return `<li class="${tone}">${renderSign(verdict)}
<div><div class="line"><span>${escape(title)}</span><b>${word}</b></div>${advice}</div></li>`;
  });
  return `<section aria-labelledby="checks">
<h2 id="checks">Checks</h2>
<ul class="card">
${items.join("\n")}
</ul>
</section>`;
}

/** Long paths break at their slashes. */
function breakable(html: string): string {
  return html.replace(/(?<=[^<])\//g, "<wbr>/");
}

function withCode(html: string): string {
  return html.replace(/`([^`]+)`/g, "<code>$1</code>");
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character]!);
}
