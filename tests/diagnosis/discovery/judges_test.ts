import { judgeAdvertised } from "../../../lib/diagnosis/discovery/judge_advertised.ts";
import {
  judgeTransports,
  judgeUserTransports,
} from "../../../lib/diagnosis/discovery/judge_transports.ts";
import {
  judgeFoci,
  judgeWellKnown,
  judgeWellKnownCors,
} from "../../../lib/diagnosis/discovery/judge_well_known.ts";
import { fetchWellKnownClient } from "../../../lib/diagnosis/discovery/well_known_client.ts";
import type { Exchange } from "../../../lib/diagnosis/probe.ts";
import { answer, assertFinding, refusal, refused } from "../support/answer.ts";

const SERVICE = "https://rtc.example/livekit/jwt";
const base = { "m.homeserver": { base_url: "https://m.example/" } };
const foci = (value: unknown) => ({ ...base, "org.matrix.msc4143.rtc_foci": value });
const entry = (url: unknown) => foci([{ type: "livekit", livekit_service_url: url }]);
const page = (status: number) =>
  answer({ status, body: "<html>", headers: { "content-type": "text/html" } });
const to = (location: string) => answer({ status: 302, headers: { location } });

/** Answers one question after the other. */
function fileOf(...exchanges: Exchange[]) {
  return fetchWellKnownClient("a.example", () => Promise.resolve(exchanges.shift()!));
}

for (
  const [name, exchanges, verdict, says] of [
    ["a good one", [answer({ body: base })], "PASS", /says https:\/\/m\.example →/],
    [
      "one after a redirect",
      [to("https://b.example/x?y"), answer({ body: base })],
      "PASS",
      /redirect to https:\/\/b\.example\/x →?/,
    ],
    ["one by plain http", [to("http://b.example/x"), answer({ body: base })], "FAIL", /https only/],
    ["a login", [to("/login"), page(200)], "FAIL", /redirect to a login/],
    ["404", [page(404)], "FAIL", /bare server name/],
    ["502", [page(502)], "FAIL", /does not reach/],
    ["a page", [page(200)], "FAIL", /answers for every path/],
    ["a list", [answer({ body: [] })], "FAIL", /JSON object/],
    ["JSON without base_url", [answer({ body: {} })], "FAIL", /m\.homeserver/],
    [
      "an odd base_url",
      [answer({ body: { "m.homeserver": { base_url: "m.example" } } })],
      "FAIL",
      /base_url/,
    ],
    [
      "a plain base_url",
      [answer({ body: { "m.homeserver": { base_url: "http://m.example" } } })],
      "WARN",
      /without TLS/,
    ],
    ["nobody", [refused], "FAIL", /firewall/],
    ["an endless redirect", Array.from({ length: 6 }, () => to("/x")), "FAIL", /302/],
  ] as const
) {
  Deno.test(`judgeWellKnown() says ${verdict} of ${name}`, async () => {
    assertFinding(judgeWellKnown(await fileOf(...exchanges)), verdict, says);
  });
}

for (
  const [name, body, verdict, says] of [
    ["a good entry", entry(SERVICE), "PASS", /livekit\/jwt/],
    [
      "one more of another type",
      foci([{ type: "x" }, { type: "livekit", livekit_service_url: SERVICE }]),
      "PASS",
      undefined,
    ],
    ["nothing", base, "FAIL", /MISSING_MATRIX_RTC/],
    ["an object", foci({}), "FAIL", /no list/],
    ["other types", foci([{ type: "x" }, null]), "FAIL", /no entry of type livekit/],
    ["no URL", entry(undefined), "FAIL", /absolute/],
    ["a relative URL", entry("/livekit/jwt"), "FAIL", /absolute/],
    ["the SFU", entry("wss://sfu.example"), "FAIL", /address of the SFU/],
    ["an endpoint", entry(`${SERVICE}/sfu/get`), "FAIL", /Remove the endpoint/],
    ["plain http", entry("http://rtc.example"), "FAIL", /not https/],
    ["plain http on this machine", entry("http://localhost:8080"), "PASS", undefined],
  ] as const
) {
  Deno.test(`judgeFoci() says ${verdict} of ${name}`, async () => {
    assertFinding(judgeFoci(await fileOf(answer({ body }))), verdict, says);
  });
}

Deno.test("judgeFoci() and judgeWellKnownCors() say nothing of a file that is not there", async () => {
  assertFinding(judgeFoci(await fileOf(page(404))), "SKIP");
  assertFinding(judgeWellKnownCors(await fileOf(page(404))), "SKIP");
});

for (
  const [values, verdict] of [
    ["*", "PASS"],
    ["https://call.example", "PASS"],
    [[], "FAIL"],
    [["*", "*"], "FAIL"],
    ["https://element.example", "FAIL"],
  ] as const
) {
  Deno.test(`judgeWellKnownCors() says ${verdict} of ${JSON.stringify(values)}`, async () => {
    const headers = { "access-control-allow-origin": [values].flat() };
    assertFinding(judgeWellKnownCors(await fileOf(answer({ body: base, headers }))), verdict);
  });
}

const advertised = "https://rtc.example";
for (
  const [name, facts, verdict, says] of [
    ["nothing", { answers: false }, "SKIP", undefined],
    ["what answers", { advertised, answers: true }, "PASS", undefined],
    [
      "what is expected",
      { advertised, expected: `${advertised}/`, answers: true },
      "PASS",
      undefined,
    ],
    ["another", { advertised, expected: SERVICE, answers: true }, "FAIL", /expected was/],
    [
      "one without path",
      { advertised, answers: false, elsewhere: SERVICE },
      "FAIL",
      /misses the path/,
    ],
    ["nobody", { advertised, answers: false }, "FAIL", /group D/],
  ] as const
) {
  Deno.test(`judgeAdvertised() says ${verdict} of ${name}`, () => {
    assertFinding(judgeAdvertised(facts), verdict, says);
  });
}

const path = "/rtc/transports";
for (
  const [name, exchange, hasFoci, verdict, says] of [
    ["401", refusal(401, "M_MISSING_TOKEN"), true, "PASS", /as it should/],
    ["404 beside rtc_foci", refusal(404, "M_UNRECOGNIZED"), true, "WARN", /Newer clients/],
    ["404 alone", refusal(404, "M_UNRECOGNIZED"), false, "FAIL", /no transport at all/],
    ["a 404 page", page(404), true, "FAIL", /proxy does not pass/],
    ["502", page(502), true, "FAIL", /does not reach it/],
    ["nobody", refused, true, "FAIL", undefined],
  ] as const
) {
  Deno.test(`judgeTransports() says ${verdict} of ${name}`, () => {
    assertFinding(judgeTransports({ path, exchange }, hasFoci), verdict, says);
  });
}

const owner = { userId: "@a:a.example", serverName: "a.example", baseUrl: "https://m.example" };
for (
  const [name, view, verdict, says] of [
    ["no token", { serviceUrls: [SERVICE] }, "SKIP", /--user-token-file/],
    ["a bad token", { owner: { why: "401" }, serviceUrls: [] }, "FAIL", /first server/],
    [
      "both alike",
      {
        owner,
        transports: { path, exchange: answer(), serviceUrls: [`${SERVICE}/`] },
        serviceUrls: [SERVICE],
      },
      "PASS",
      /both say/,
    ],
    [
      "others",
      {
        owner,
        transports: { path, exchange: answer(), serviceUrls: [advertised] },
        serviceUrls: [SERVICE],
      },
      "FAIL",
      /disagree/,
    ],
    [
      "no file",
      { owner, transports: { path, exchange: answer(), serviceUrls: [SERVICE] }, serviceUrls: [] },
      "PASS",
      undefined,
    ],
    [
      "an empty list",
      { owner, transports: { path, exchange: answer(), serviceUrls: [] }, serviceUrls: [SERVICE] },
      "FAIL",
      /no usable transport/,
    ],
    [
      "404",
      { owner, transports: { path, exchange: refusal(404, "M_UNRECOGNIZED") }, serviceUrls: [] },
      "SKIP",
      /C5/,
    ],
    [
      "500",
      { owner, transports: { path, exchange: page(500) }, serviceUrls: [] },
      "FAIL",
      undefined,
    ],
  ] as const
) {
  Deno.test(`judgeUserTransports() says ${verdict} of ${name}`, () => {
    assertFinding(judgeUserTransports(view), verdict, says);
  });
}
