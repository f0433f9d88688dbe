import type { Verdict } from "../../../lib/diagnosis/check.ts";
import type { FederationFacts } from "../../../lib/diagnosis/homeserver/federation.ts";
import {
  judgeClientApi,
  judgeRestart,
  judgeVersions,
} from "../../../lib/diagnosis/homeserver/judge_client_api.ts";
import { judgeResolution } from "../../../lib/diagnosis/homeserver/judge_resolution.ts";
import { judgeUserinfo } from "../../../lib/diagnosis/homeserver/judge_userinfo.ts";
import { judgeUser, type UserFacts } from "../../../lib/diagnosis/homeserver/user_check.ts";
import type { Exchange, NoAnswer } from "../../../lib/diagnosis/probe.ts";
import { UpstreamError } from "../../../lib/matrix/errors.ts";
import { createTarget } from "../../../lib/net/target.ts";
import { answer, assertFinding, refusal, refused } from "../support/answer.ts";

const NAME = "example.org";
const PAGE = "<html><title>Blocked</title></html>";

function resolvedAt(port: number, how: string, userinfo: Exchange, calledName?: string) {
  const target = createTarget({
    protocol: "https",
    endpoints: [{ host: "matrix.example.org", port }],
    tlsName: "matrix.example.org",
    hostHeader: "matrix.example.org:8448",
    mayBePrivate: true,
    maxConnections: 1,
  });
  const resolved = { target, basePath: "", how };
  return { resolved, userinfo, ...calledName !== undefined && { calledName } };
}

const UNKNOWN = refusal(401, "M_UNKNOWN_TOKEN");
const at = (hop: NoAnswer["hop"]): NoAnswer => ({ ...refused, hop });
const RESOLUTIONS: [string, FederationFacts, Verdict, RegExp][] = [
  [
    "a delegated name",
    resolvedAt(443, "example.org, delegated to matrix.example.org:443", UNKNOWN, NAME),
    "PASS",
    /delegated to .* → matrix\.example\.org:443, TLS name matrix\.example\.org, Host matrix/,
  ],
  ["a server that keeps its name to itself", resolvedAt(443, "x", UNKNOWN), "PASS", /443/],
  [
    "a host name in the list",
    resolvedAt(443, "x", UNKNOWN, "real.example.org"),
    "FAIL",
    /is called real\.example\.org.*List real\.example\.org, the part after ':'/,
  ],
  [
    "the guessed port, closed",
    resolvedAt(8448, "x", refused),
    "FAIL",
    /port 8448, which is closed/,
  ],
  ["another port, closed", resolvedAt(443, "x", refused), "FAIL", /FEDERATION_URL_OVERRIDES/],
  ["a wrong certificate", resolvedAt(443, "x", at("tls")), "FAIL", /for the TLS name shown/],
  [
    "a name without addresses",
    { error: new UpstreamError("dns", "cannot look up example.org") },
    "FAIL",
    /cannot look up.*MATRIXRTC_FEDERATION_URL_OVERRIDES/,
  ],
  ["a server that hangs, which E2 tells", resolvedAt(443, "x", at("http")), "PASS", /443/],
];
for (const [name, facts, verdict, says] of RESOLUTIONS) {
  Deno.test(`judgeResolution() of ${name}`, () => {
    assertFinding(judgeResolution(NAME, facts), verdict, says);
  });
}

Deno.test("judgeResolution() of other servers tells about outbound federation", () => {
  const facts = resolvedAt(8448, "x", refused);
  assertFinding(judgeResolution(NAME, facts, true), "FAIL", /Outbound federation/);
});

const USERINFOS: [string, Exchange, Verdict, RegExp][] = [
  ["an unknown token", UNKNOWN, "PASS", /401/],
  ["a lost query", refusal(401, "M_MISSING_TOKEN"), "FAIL", /removes the query/],
  ["no such path", refusal(404, "M_UNRECOGNIZED"), "FAIL", /`openid`/],
  ["a page", answer({ status: 404, body: PAGE }), "FAIL", /`openid`/],
  ["a firewall", answer({ status: 403, body: PAGE }), "FAIL", /firewall/],
  ["a page that says yes", answer({ body: PAGE }), "FAIL", /firewall/],
  ["anybody", answer({ body: { sub: "@a:b" } }), "FAIL", /takes any token/],
  ["a wrong worker", refusal(500, "M_UNKNOWN"), "FAIL", /worker/],
  ["a bad gateway", answer({ status: 502, body: PAGE }), "FAIL", /does not reach/],
  ["too many", refusal(429, "M_LIMIT_EXCEEDED"), "WARN", /rate limit/],
  ["silence", at("http"), "FAIL", /in time/],
];
for (const [name, exchange, verdict, says] of USERINFOS) {
  Deno.test(`judgeUserinfo() of ${name}`, () => {
    assertFinding(judgeUserinfo(exchange), verdict, says);
  });
}

Deno.test("judgeClientApi() wants it found, answering, and to be one", () => {
  const place = { baseUrl: "https://m.example.org", from: "well-known" } as const;
  const override = /LIVEKIT_CS_API_URL_OVERRIDES for example\.org/;
  assertFinding(judgeClientApi(NAME, place, answer({ body: { versions: [] } })), "PASS");
  assertFinding(judgeClientApi(NAME, { why: "404" }, undefined), "FAIL", override);
  assertFinding(judgeClientApi(NAME, place, refused), "FAIL", override);
  assertFinding(judgeClientApi(NAME, place, answer({ body: PAGE })), "FAIL", /base_url/);
  assertFinding(judgeClientApi(NAME, place, answer({ status: 502 })), "FAIL", /does not reach/);
});

Deno.test("judgeVersions() goes by the flag, stable or not", () => {
  const judge = (features: unknown) =>
    judgeVersions(answer({ body: { versions: [], unstable_features: features } }));
  assertFinding(judge({ "org.matrix.msc4140": true }), "PASS", /msc4140 on, msc4143 off/);
  assertFinding(judge({ "org.matrix.msc4140.stable": true }), "PASS");
  assertFinding(judge({ "org.matrix.msc4140": false }), "FAIL", /max_event_delay_duration/);
  assertFinding(judge(undefined), "FAIL", /get stuck/);
  assertFinding(judgeVersions(refused), "SKIP");
});

const RESTARTS: [string, Exchange, boolean, Verdict, RegExp][] = [
  ["an unknown event", refusal(404, "M_NOT_FOUND"), false, "PASS", /404/],
  ["no such path", refusal(404, "M_UNRECOGNIZED"), false, "FAIL", /not enabled/],
  ["a page", answer({ status: 404, body: PAGE }), false, "FAIL", /route/],
  ["authentication", refusal(401, "M_MISSING_TOKEN"), false, "FAIL", /homeserver mode/],
  ["authentication, in homeserver mode", refusal(401, "M_MISSING_TOKEN"), true, "PASS", /token/],
  ["a firewall", answer({ status: 403, body: PAGE }), true, "FAIL", /proxy/],
  ["too many", refusal(429, "M_LIMIT_EXCEEDED"), false, "WARN", /rc_delayed_event_mgmt/],
  ["nobody", refused, false, "FAIL", /E4/],
];
for (const [name, exchange, hasAppService, verdict, says] of RESTARTS) {
  Deno.test(`judgeRestart() of ${name}`, () => {
    assertFinding(judgeRestart(exchange, hasAppService), verdict, says);
  });
}

const owner = { userId: "@a:example.org", serverName: NAME, baseUrl: "https://m" };
const issued = answer({ body: { access_token: "secret-token", matrix_server_name: NAME } });
const vouched = (sub: string) => answer({ body: { sub } });
const USERS: [string, UserFacts | undefined, Verdict, RegExp][] = [
  ["no token", undefined, "SKIP", /--user-token-file/],
  ["nobody's token", { owner: { why: "401" } }, "FAIL", /fresh/],
  ["a user", { owner, issued, userinfo: vouched("@a:example.org") }, "PASS", /vouches/],
  [
    "somebody else",
    { owner, issued, userinfo: vouched("@b:example.org") },
    "FAIL",
    /somebody else/,
  ],
  ["a token not known", { owner, issued, userinfo: UNKNOWN }, "FAIL", /just issued: HTTP 401/],
  ["no OpenID token", { owner, issued: refusal(404, "M_UNRECOGNIZED") }, "FAIL", /issues no/],
  [
    "another name",
    { owner, issued: answer({ body: { access_token: "t", matrix_server_name: "b.org" } }) },
    "FAIL",
    /server_name/,
  ],
  ["a server that is not found", { owner, issued }, "SKIP", /E1/],
];
for (const [name, facts, verdict, says] of USERS) {
  Deno.test(`judgeUser() of ${name}`, () => assertFinding(judgeUser(facts), verdict, says));
}
