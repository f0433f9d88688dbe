/** The start page's style, and the policy that lets nothing else on the page. */

import { createHash } from "node:crypto";

/** Colours with a contrast of 4.5:1 and more to their background, both by day and by night. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --paper: #f6f7f9; --card: #ffffff; --line: #d5dae1; --ink: #1b2026; --quiet: #556070;
  --link: #0a58ca; --pass: #116329; --warn: #7d4e00; --fail: #a40e26; --skip: #556070;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0f1318; --card: #181e25; --line: #323b46; --ink: #e8edf2; --quiet: #a3afbc;
    --link: #7db4ff; --pass: #5bd778; --warn: #e9b949; --fail: #ff8f86; --skip: #a3afbc;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.5rem 1rem 3rem; max-width: 44rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: break-word;
}
h1 { margin: 0; font-size: 1.6rem; line-height: 1.25; }
h2 { margin: 2rem 0 .6rem; font-size: 1.05rem; }
p { margin: .35rem 0; }
.quiet { color: var(--quiet); }
a { color: var(--link); }
a:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
.state {
  display: flex; gap: .85rem; align-items: center; margin-top: 1.5rem; padding: 1rem 1.1rem;
  border-left: .35rem solid var(--tone);
}
.state strong { display: block; font-size: 1.15rem; line-height: 1.3; color: var(--tone); }
.sign {
  flex: none; display: inline-grid; place-items: center; width: 1.6rem; height: 1.6rem;
  border: 2px solid var(--tone); border-radius: 50%; color: var(--tone);
  font-weight: 700; font-size: .9rem; line-height: 1;
}
.state .sign { width: 2.4rem; height: 2.4rem; font-size: 1.3rem; }
.pass { --tone: var(--pass); } .warn { --tone: var(--warn); }
.fail { --tone: var(--fail); } .skip { --tone: var(--skip); }
ul, dl { margin: 0; padding: 0; list-style: none; }
li, dl > div { padding: .75rem 1.1rem; }
li + li, dl > div + div { border-top: 1px solid var(--line); }
li { display: flex; gap: .85rem; align-items: flex-start; }
li > div { flex: 1; min-width: 0; }
.line { display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between; }
.line b { color: var(--tone); font-weight: 600; }
dt code { overflow-wrap: anywhere; font-weight: 600; }
dd { margin: 0; color: var(--quiet); }
.help { padding: .9rem 1.1rem; }
pre { margin: .6rem 0 .2rem; white-space: pre-wrap; }
`;

const HASH = createHash("sha256").update(PAGE_STYLE).digest("base64");

/** The page brings its style along and nothing else; no script could ever run on it. */
export const PAGE_CSP = `default-src 'none'; style-src 'sha256-${HASH}'; base-uri 'none'; ` +
  "form-action 'none'; frame-ancestors 'none'";
