import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Reply } from "../../lib/http/endpoint.ts";
import { createStartPage } from "../../lib/http/start_page.ts";

const page = createStartPage({
  version: "1.2.3",
  endpoints: { "/get_token": "token in, token out", "/healthz": "alive" },
});

function ask(accept?: string): Reply {
  const headers: Record<string, string> = accept === undefined ? {} : { accept };
  const context = { requestId: "id", route: "/", facts: {} };
  return page(new Request("http://service.example/", { headers }), context) as Reply;
}

const FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

for (
  const { accept, type } of [
    { accept: undefined, type: "application/json" },
    { accept: "", type: "application/json" },
    { accept: "*/*", type: "application/json" },
    { accept: "application/json", type: "application/json" },
    { accept: "image/png", type: "application/json" },
    { accept: ";;;,=/", type: "application/json" },
    { accept: "text/html;q=0.1, application/json", type: "application/json" },
    { accept: "text/html", type: "text/html; charset=utf-8" },
    { accept: "text/*", type: "text/html; charset=utf-8" },
    { accept: FIREFOX, type: "text/html; charset=utf-8" },
  ]
) {
  Deno.test(`createStartPage() answers ${type} to Accept ${accept ?? "(none)"}`, () => {
    const { status, contentType, headers } = ask(accept);
    assertEquals([status, contentType, headers?.vary], [200, type, "accept"]);
  });
}

Deno.test("createStartPage() tells programs what this is", () => {
  const { name, version, description, endpoints, guide } = JSON.parse(ask().body!);
  assertEquals([name, version, description], [
    "matrixrtc-auth",
    "1.2.3",
    "MatrixRTC authorization service",
  ]);
  assertEquals(endpoints, { "/get_token": "token in, token out", "/healthz": "alive" });
  assertMatch(guide, /^https:/);
});

Deno.test("createStartPage() tells people the same", () => {
  const { body } = ask("text/html");
  for (const text of ["<!doctype html>", "version 1.2.3", "<code>/healthz</code>", "alive"]) {
    assertStringIncludes(body!, text);
  }
});

Deno.test("createStartPage() lets nothing run or load on its page", () => {
  const { body, headers } = ask("text/html");
  const policy = headers!["content-security-policy"]!.split("; ");
  assert(policy.includes("default-src 'none'") && policy.includes("frame-ancestors 'none'"));
  assert(!policy.some((directive) => directive.startsWith("script-src")));
  assertEquals(headers!["x-content-type-options"], "nosniff");
  assert(!/<script|\son\w+=|javascript:|<img|<link|@import|url\(/i.test(body!));
});
