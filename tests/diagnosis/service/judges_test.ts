import { delegationState, judgeDelegate } from "../../../lib/diagnosis/service/judge_delegate.ts";
import { judgeHealth, judgeTokenEndpoint } from "../../../lib/diagnosis/service/judge_endpoint.ts";
import { judgeFamilies } from "../../../lib/diagnosis/service/judge_families.ts";
import { judgeLargeBody } from "../../../lib/diagnosis/service/judge_large_body.ts";
import { judgePreflight } from "../../../lib/diagnosis/service/judge_preflight.ts";
import { assertEquals } from "@std/assert";
import { answer, assertFinding, refusal, refused } from "../support/answer.ts";

const URL = "https://rtc.example/sfu/get";
const page = (status: number) =>
  answer({ status, body: "<html><title>Hi</title>", headers: { "content-type": "text/html" } });
const ours = refusal(400, "M_BAD_JSON");
const foreign = refusal(400, "M_BAD_JSON", { "x-request-id": [] });

for (
  const [name, exchange, verdict, says] of [
    ["an empty 200", answer(), "PASS", undefined],
    ["a web page", page(200), "WARN", /Not routed/],
    ["404", answer({ status: 404 }), "WARN", /Not routed/],
    ["502", page(502), "FAIL", /wrong port/],
    ["503", answer({ status: 503, body: "no healthy upstream" }), "FAIL", /unhealthy/],
    ["nobody", refused, "FAIL", /ECONNREFUSED.*firewall/],
  ] as const
) {
  Deno.test(`judgeHealth() says ${verdict} of ${name}`, () => {
    assertFinding(judgeHealth(exchange, URL), verdict, says);
  });
}

for (
  const [name, post, get, verdict, says] of [
    ["ours", ours, refusal(405, "M_UNRECOGNIZED"), "PASS", /400 M_BAD_JSON, GET 405/],
    ["ours, without a look at GET", ours, undefined, "PASS", undefined],
    ["a foreign one", foreign, refusal(405, "M_UNRECOGNIZED"), "WARN", /Another authorization/],
    ["ours, but another GET", ours, page(200), "WARN", /treats methods differently/],
    [
      "a 404 of the proxy",
      answer({ status: 404, body: "404 page not found" }),
      undefined,
      "FAIL",
      /prefix/,
    ],
    [
      "a 404 of the homeserver",
      refusal(404, "M_UNRECOGNIZED", { "x-request-id": [] }),
      undefined,
      "FAIL",
      /homeserver answers/,
    ],
    ["a page", page(200), undefined, "FAIL", /web page answers/],
    ["a page with 403", page(403), undefined, "FAIL", /web page answers/],
    ["LiveKit", answer({ body: "OK\n" }), undefined, "FAIL", /LiveKit answers/],
    ["502", page(502), undefined, "FAIL", /wrong port/],
    ["504", page(504), undefined, "FAIL", /does not reach/],
    [
      "a redirect",
      answer({ status: 301, headers: { location: "https://x.example/a?b=c" } }),
      undefined,
      "FAIL",
      /redirect to https:\/\/x\.example\/a →/,
    ],
    ["405", answer({ status: 405 }), undefined, "FAIL", /takes no POST/],
    ["401", answer({ status: 401 }), undefined, "FAIL", /wants a login/],
    ["500 of ours", refusal(500, "M_UNKNOWN"), undefined, "FAIL", /Expected was 400/],
    ["429", refusal(429, "M_LIMIT_EXCEEDED"), undefined, "WARN", /TRUSTED_PROXIES/],
    ["other JSON", answer({ body: { ok: true } }), undefined, "FAIL", /Something else/],
  ] as const
) {
  Deno.test(`judgeTokenEndpoint() says ${verdict} of ${name}`, () => {
    assertFinding(judgeTokenEndpoint(post, get, URL), verdict, says);
  });
}

for (
  const [name, exchange, state, verdict, says] of [
    ["taken", ours, "on", "PASS", undefined],
    ["taken, webhooks only", ours, "with-webhooks", "PASS", undefined],
    ["taken", ours, "off", "FAIL", /though delegation is off/],
    ["404 of ours", refusal(404, "M_UNRECOGNIZED"), "off", "PASS", undefined],
    ["404 of ours", refusal(404, "M_UNRECOGNIZED"), "on", "FAIL", /MATRIXRTC_DELEGATION/],
    [
      "404 of ours",
      refusal(404, "M_UNRECOGNIZED"),
      "with-webhooks",
      "WARN",
      /Wire LiveKit's webhook/,
    ],
    ["404 of the proxy", answer({ status: 404 }), "on", "FAIL", /Forward/],
    ["404 of the proxy", answer({ status: 404 }), "with-webhooks", "FAIL", /Forward/],
    ["502", page(502), "on", "FAIL", /wrong port/],
    ["nobody", refused, "on", "FAIL", undefined],
  ] as const
) {
  Deno.test(`judgeDelegate() says ${verdict} of ${name} when ${state}`, () => {
    assertFinding(judgeDelegate(exchange, URL, state), verdict, says);
  });
}

Deno.test("delegationState() follows the mode, and polling where that is automatic", () => {
  const of = (mode: "auto" | "on" | "off", sanityCheckIntervalSeconds: number) =>
    delegationState({ mode, sanityCheckIntervalSeconds });
  assertEquals([of("on", 0), of("off", 30), of("auto", 30)], ["on", "off", "on"]);
});

const cors = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "Accept, Content-Type",
};
const preflightOf = (headers: Record<string, string | string[]>, status = 200) =>
  answer({ status, headers });
for (
  const [name, preflight, verdict, says] of [
    ["ours", preflightOf(cors), "PASS", undefined],
    ["204", preflightOf(cors, 204), "PASS", undefined],
    [
      "two headers",
      preflightOf({ ...cors, "access-control-allow-origin": ["*", "*"] }),
      "FAIL",
      /2 times/,
    ],
    [
      "two values",
      preflightOf({ ...cors, "access-control-allow-origin": "*, *" }),
      "FAIL",
      /2 times/,
    ],
    [
      "one origin",
      preflightOf({ ...cors, "access-control-allow-origin": "https://a" }),
      "FAIL",
      /only/,
    ],
    ["none", preflightOf({}), "FAIL", /no Access-Control-Allow-Origin/],
    [
      "no content-type",
      preflightOf({ ...cors, "access-control-allow-headers": "Accept" }),
      "FAIL",
      /Content-Type/,
    ],
    [
      "any header",
      preflightOf({ ...cors, "access-control-allow-headers": "*" }),
      "PASS",
      undefined,
    ],
    ["405", preflightOf(cors, 405), "FAIL", /pass OPTIONS on/],
    ["401", preflightOf(cors, 401), "FAIL", /asking for a login/],
    ["nobody", refused, "FAIL", undefined],
  ] as const
) {
  Deno.test(`judgePreflight() says ${verdict} of ${name}`, () => {
    assertFinding(judgePreflight({ url: URL, preflight, post: ours }), verdict, says);
  });
}

Deno.test("judgePreflight() looks at the answer to the request itself, too", () => {
  const post = refusal(400, "M_BAD_JSON", { "access-control-allow-origin": ["*", "*"] });
  assertFinding(judgePreflight({ url: URL, preflight: preflightOf(cors), post }), "FAIL", /POST/);
});

for (
  const [name, exchange, verdict, says] of [
    ["ours", ours, "PASS", /20 KiB/],
    ["413", page(413), "FAIL", /client_max_body_size/],
    ["502", page(502), "FAIL", /wrong port/],
    ["nobody", refused, "FAIL", undefined],
  ] as const
) {
  Deno.test(`judgeLargeBody() says ${verdict} of ${name}`, () => {
    assertFinding(judgeLargeBody(exchange, URL, 20 * 1024), verdict, says);
  });
}

for (
  const [name, answers, verdict, says] of [
    ["none", [], "SKIP", undefined],
    ["one", [["192.0.2.1", ours]], "SKIP", /one address/],
    ["two alike", [["192.0.2.1", ours], ["2001:db8::1", ours]], "PASS", /IPv4 and IPv6/],
    [
      "two that differ",
      [["192.0.2.1", ours], ["2001:db8::1", page(404)]],
      "FAIL",
      /different programs/,
    ],
    ["one closed", [["192.0.2.1", ours], ["2001:db8::1", refused]], "SKIP", /1 of 2/],
  ] as const
) {
  Deno.test(`judgeFamilies() says ${verdict} of ${name}`, () => {
    const list = answers.map(([address, exchange]) => ({ address, exchange }));
    assertFinding(judgeFamilies(list), verdict, says);
  });
}
