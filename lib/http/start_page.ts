import { accepts } from "@std/http/negotiation";
import type { Endpoint } from "./endpoint.ts";

/** What the page tells; nothing of it is secret. */
export interface StartPageOptions {
  readonly version: string;
  /** Path and what it is for, in the order of the page. */
  readonly endpoints: Readonly<Record<string, string>>;
}

const NAME = "matrixrtc-auth";
const SUMMARY = "MatrixRTC authorization service";
const GUIDE = "https://github.com/matrixrtc-auth/matrixrtc-auth#readme";
// The page brings its style along and nothing else; no script could ever run on it.
const CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'";

/** Makes `GET /`: tells people who come across the address what answers here. */
export function createStartPage({ version, endpoints }: StartPageOptions): Endpoint {
  const json = JSON.stringify({
    name: NAME,
    version,
    description: SUMMARY,
    endpoints,
    guide: GUIDE,
  });
  const html = renderHtml(version, endpoints);
  return (request) =>
    accepts(request, "application/json", "text/html") === "text/html"
      ? {
        status: 200,
        contentType: "text/html; charset=utf-8",
        body: html,
        headers: {
          "content-security-policy": CSP,
          "x-content-type-options": "nosniff",
          vary: "accept",
        },
      }
      : { status: 200, contentType: "application/json", body: json, headers: { vary: "accept" } };
}

function renderHtml(version: string, endpoints: StartPageOptions["endpoints"]): string {
  const rows = Object.entries(endpoints)
    .map(([path, what]) => `<tr><td><code>${path}</code></td><td>${what}</td></tr>`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${NAME}</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 42rem; margin: 12vh auto; padding: 0 1.25rem; }
h1 { margin: 0; }
p { margin: .5rem 0 1.5rem; }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid color-mix(in srgb, currentColor 20%, transparent); padding: .5rem 1rem .5rem 0; }
code { font-family: ui-monospace, monospace; }
</style>
<h1>${NAME}</h1>
<p>${SUMMARY}, version ${version}. It lets users of Matrix homeservers into calls: their clients
come here by themselves, there is nothing to see or do for people.
<a href="${GUIDE}">Guide for operators</a></p>
<table>
${rows.join("\n")}
</table>
</html>
`;
}
