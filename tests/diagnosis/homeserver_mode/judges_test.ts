import type { Verdict } from "../../../lib/diagnosis/check.ts";
import {
  type JoinClaims,
  judgePing,
  judgeUnauthenticated,
  judgeUserToken,
} from "../../../lib/diagnosis/homeserver_mode/judge_proxying.ts";
import { judgeRegistration } from "../../../lib/diagnosis/homeserver_mode/judge_registration.ts";
import type { Exchange } from "../../../lib/diagnosis/probe.ts";
import { UpstreamError } from "../../../lib/matrix/errors.ts";
import { answer, assertFinding, refusal, refused } from "../support/answer.ts";

const PAGE = "<html></html>";

Deno.test("judgeRegistration() tells the file's faults and the homeserver's refusal", () => {
  const warning = { variable: "LIVEKIT_AS_REGISTRATION_FILE", message: "has no proxy_url." };
  const refusal = new UpstreamError("answer", "is_joined: HTTP 401 M_UNKNOWN_TOKEN");
  assertFinding(judgeRegistration({ warnings: [], hasFile: true }), "PASS", /complete/);
  assertFinding(judgeRegistration({ warnings: [], hasFile: false }), "PASS", /^the homeserver/);
  assertFinding(
    judgeRegistration({ warnings: [warning], hasFile: true }),
    "WARN",
    /no proxy_url.*config registration/,
  );
  assertFinding(
    judgeRegistration({ warnings: [warning], hasFile: true, refusal }),
    "FAIL",
    /M_UNKNOWN_TOKEN; has no proxy_url/,
  );
  assertFinding(
    judgeRegistration({ warnings: [], hasFile: true, refusal }),
    "FAIL",
    /load the registration/,
  );
});

const UNAUTHENTICATED: [string, Exchange, Verdict, RegExp][] = [
  ["a refusal", refusal(401, "M_MISSING_TOKEN"), "PASS", /401/],
  ["no such path", refusal(404, "M_UNRECOGNIZED"), "FAIL", /msc4512_enabled/],
  ["a login of a proxy", answer({ status: 401, body: PAGE }), "FAIL", /Something else/],
  ["a bad gateway", answer({ status: 502, body: PAGE }), "FAIL", /does not reach/],
  ["nobody", refused, "FAIL", /E4/],
];
for (const [name, exchange, verdict, says] of UNAUTHENTICATED) {
  Deno.test(`judgeUnauthenticated() of ${name}`, () => {
    assertFinding(judgeUnauthenticated(exchange), verdict, says);
  });
}

const token = answer({ body: { jwt: "a.b.c" } });
const video = { roomJoin: true, room: "r", canPublish: true };
const times = { nbf: 1_000, exp: 1_600 };
const TOKENS: [string, Exchange, JoinClaims | undefined, Verdict, RegExp][] = [
  ["a token", token, { video, ...times }, "PASS", /600 s/],
  [
    "a token that may not publish",
    token,
    { video: { ...video, canPublish: false }, ...times },
    "FAIL",
    /proxy_url/,
  ],
  [
    "a token that may create rooms",
    token,
    { video: { ...video, roomCreate: true }, ...times },
    "FAIL",
    /proxy_url/,
  ],
  ["a token of another key", token, undefined, "FAIL", /another key/],
  ["another URL", refusal(400, "M_INVALID_PARAM"), undefined, "FAIL", /slash at the end/],
  ["a user outside", refusal(403, "M_FORBIDDEN"), undefined, "FAIL", /not joined/],
  ["an old token", refusal(401, "M_UNKNOWN_TOKEN"), undefined, "FAIL", /fresh/],
  ["no such path", refusal(404, "M_UNRECOGNIZED"), undefined, "FAIL", /I2/],
  ["a service that is down", refusal(500, "M_UNKNOWN"), undefined, "FAIL", /proxy_url/],
  [
    "an SFU that is down",
    answer({ status: 500, body: { errcode: "M_UNKNOWN", error: "Unable to create room on SFU" } }),
    undefined,
    "FAIL",
    /F2 and F3/,
  ],
  ["a question unanswered", refusal(502, "M_UNKNOWN"), undefined, "FAIL", /is_joined/],
  ["nobody", refused, undefined, "FAIL", /E4/],
];
for (const [name, exchange, claims, verdict, says] of TOKENS) {
  Deno.test(`judgeUserToken() of ${name}`, () => {
    assertFinding(judgeUserToken(exchange, claims), verdict, says);
  });
}

const PINGS: [string, Exchange, Verdict, RegExp][] = [
  ["this service", answer({ body: {} }), "PASS", /200/],
  ["another hs_token", refusal(401, "M_UNKNOWN_TOKEN"), "FAIL", /same registration file/],
  ["another mode", refusal(404, "M_UNRECOGNIZED"), "FAIL", /not in homeserver mode/],
  ["a web page", answer({ status: 500, body: PAGE }), "FAIL", /check the port/],
  ["nobody", refused, "FAIL", /not running/],
];
for (const [name, exchange, verdict, says] of PINGS) {
  Deno.test(`judgePing() of ${name}`, () => assertFinding(judgePing(exchange), verdict, says));
}
