import type { Verdict } from "../../../lib/diagnosis/check.ts";
import { judgeAutoCreate } from "../../../lib/diagnosis/livekit/judge_auto_create.ts";
import { judgeListRooms, judgeRoom } from "../../../lib/diagnosis/livekit/judge_room_service.ts";
import { judgeRoot } from "../../../lib/diagnosis/livekit/judge_root.ts";
import { judgeSignal } from "../../../lib/diagnosis/livekit/judge_signal.ts";
import { judgeVersion } from "../../../lib/diagnosis/livekit/judge_version.ts";
import type { SignalFacts } from "../../../lib/diagnosis/livekit/signal_session.ts";
import type { Exchange } from "../../../lib/diagnosis/probe.ts";
import { UpstreamError } from "../../../lib/matrix/errors.ts";
import { assert } from "@std/assert";
import { answer, assertFinding, refused } from "../support/answer.ts";

const PAGE = "<!doctype html><title>Welcome to nginx!</title>";

const ROOTS: [string, Exchange, Verdict, RegExp][] = [
  ["LiveKit's OK", answer({ body: "OK" }), "PASS", /200/],
  ["stale statistics", answer({ status: 406, body: "Not Ready\nNode" }), "WARN", /LiveKit's log/],
  ["a proxy without LiveKit", answer({ status: 502, body: PAGE }), "FAIL", /port in the proxy/],
  ["a prefix that stays", answer({ status: 404, body: "404 page not found" }), "FAIL", /prefix/],
  ["another web page", answer({ body: PAGE }), "FAIL", /LIVEKIT_INTERNAL_URL/],
  ["nobody", refused, "FAIL", /ECONNREFUSED.*start LiveKit/],
  ["no name", { ...refused, hop: "dns" }, "FAIL", /DNS/],
  ["a foreign certificate", { ...refused, hop: "tls" }, "FAIL", /MATRIXRTC_CA_FILE/],
];
for (const [name, exchange, verdict, says] of ROOTS) {
  Deno.test(`judgeRoot() of ${name}`, () => {
    assertFinding(judgeRoot(exchange, "internal"), verdict, says);
  });
}

const TOKEN = "eyJhbGciOi.eyJpc3Mi.c2lnbmF0dXJl";
const date = new Date(1_000_000_000_000).toUTCString();
const LISTS: [string, Exchange, Verdict, RegExp][] = [
  ["rooms", answer({ body: { rooms: [] } }), "PASS", /LIVEKIT_KEY/],
  [
    "an unknown key",
    answer({ status: 401, body: "invalid API key: APIx" }),
    "FAIL",
    /LIVEKIT_KEY is not in/,
  ],
  [
    "a wrong signature",
    answer({ status: 401, body: `invalid token: ${TOKEN}, error: token signature is invalid` }),
    "FAIL",
    /LIVEKIT_SECRET is not/,
  ],
  [
    "a clock that is behind",
    answer({
      status: 401,
      body: `invalid token: ${TOKEN}, error: token is not valid yet`,
      headers: { date },
      receivedAt: 1_000_000_095_000,
    }),
    "FAIL",
    /95 s behind ours.*NTP/,
  ],
  ["a proxy's login", answer({ status: 401, body: PAGE }), "FAIL", /Authorization header/],
  [
    "a missing grant",
    answer({ status: 401, body: { code: "unauthenticated", msg: "permissions denied" } }),
    "FAIL",
    /unauthenticated.*Authorization/,
  ],
  ["a wrong path", answer({ status: 404, body: "404 page not found" }), "FAIL", /\/twirp/],
  ["a bad gateway", answer({ status: 502, body: PAGE }), "FAIL", /Redis/],
  ["a web page", answer({ body: PAGE }), "FAIL", /Something else than LiveKit/],
  [
    "no node",
    answer({ status: 503, body: { code: "unavailable", msg: "could not find any node" } }),
    "FAIL",
    /No node/,
  ],
  ["nobody", refused, "FAIL", /see F1/],
];
for (const [name, exchange, verdict, says] of LISTS) {
  Deno.test(`judgeListRooms() of ${name}`, () => {
    const finding = judgeListRooms(exchange);
    assertFinding(finding, verdict, says);
    assert(!JSON.stringify(finding).includes(TOKEN));
  });
}

Deno.test("judgeRoom() wants both, and forgives a room that has gone by itself", () => {
  const ok = answer({ body: { name: "doctor-1" } });
  const gone = answer({ status: 404, body: { code: "not_found", msg: "no room" } });
  const broken = answer({ status: 500, body: { code: "internal", msg: "?" } });
  assertFinding(judgeRoom({ created: ok, deleted: ok }), "PASS");
  assertFinding(judgeRoom({ created: ok, deleted: gone }), "PASS");
  assertFinding(judgeRoom({ created: ok, deleted: broken }), "WARN", /DeleteRoom/);
  assertFinding(judgeRoom({ created: broken, deleted: gone }), "FAIL", /CreateRoom/);
});

const NO_ROOM = answer({ status: 404, body: "requested room does not exist" });
const AUTO: [string, Exchange, boolean, Verdict, RegExp][] = [
  ["a missing room", NO_ROOM, true, "PASS", /off/],
  ["success", answer({ body: "success" }), true, "FAIL", /room\.auto_create: false/],
  ["success, without a list", answer({ body: "success" }), false, "WARN", /FULL_ACCESS/],
  ["a wrong path", answer({ status: 404, body: "404 page not found" }), true, "FAIL", /forward/],
  ["a full node", answer({ status: 503, body: "limit" }), true, "FAIL", /limits/],
  ["a web page", answer({ body: PAGE }), true, "FAIL", /not LiveKit's answer/],
  ["a refused key", answer({ status: 401, body: "invalid API key: A" }), true, "FAIL", /keys/],
];
for (const [name, exchange, hasList, verdict, says] of AUTO) {
  Deno.test(`judgeAutoCreate() of ${name}`, () => {
    assertFinding(judgeAutoCreate(exchange, hasList), verdict, says);
  });
}

const candidate = (address: string) =>
  ({ transport: "udp", address, port: 50_000, type: "host" }) as const;
const joined = (...addresses: string[]): SignalFacts => ({
  kind: "joined",
  version: "1.13.5",
  iceServers: ["stun:stun.example.org"],
  candidates: addresses.map(candidate),
});
const refusedWith = (status: number, text: string): SignalFacts => ({
  kind: "refused",
  status,
  text,
});
const SIGNALS: [string, SignalFacts, Verdict, RegExp][] = [
  ["a public place", joined("10.0.0.1", "203.0.113.7"), "PASS", /1\.13\.5.*udp 203.*stun:/],
  ["private places only", joined("10.0.0.1"), "FAIL", /rtc\.node_ip/],
  ["no place", joined(), "WARN", /rtc\.node_ip/],
  ["a lost header", refusedWith(404, ""), "FAIL", /Upgrade and Connection/],
  ["a bad request", refusedWith(400, "Bad Request"), "FAIL", /Upgrade and Connection/],
  ["a prefix that stays", refusedWith(404, "404 page not found"), "FAIL", /strip the prefix/],
  ["another LiveKit", refusedWith(404, "requested room does not exist"), "FAIL", /two LiveKits/],
  ["other keys", refusedWith(401, `invalid token: ${TOKEN}`), "FAIL", /another LiveKit/],
  ["a bad gateway", refusedWith(502, PAGE), "FAIL", /does not reach LiveKit/],
  ["a web page", refusedWith(200, PAGE), "FAIL", /Something else/],
  ["silence", { kind: "no join", reason: "closed" }, "FAIL", /read timeout/],
  [
    "a closed port",
    { kind: "unreachable", error: new UpstreamError("tcp", "cannot connect") },
    "FAIL",
    /LIVEKIT_URL/,
  ],
  [
    "an upgrade that hangs",
    { kind: "unreachable", error: new UpstreamError("http", "no answer") },
    "FAIL",
    /Upgrade/,
  ],
];
for (const [name, facts, verdict, says] of SIGNALS) {
  Deno.test(`judgeSignal() of ${name}`, () => {
    const isPublicAddress = (address: string) => !address.startsWith("10.");
    const finding = judgeSignal(facts, { isPublic: true, isPublicAddress });
    assertFinding(finding, verdict, says);
    assert(!JSON.stringify(finding).includes(TOKEN));
  });
}

Deno.test("judgeSignal() lets private places be where LIVEKIT_URL is private, too", () => {
  const setting = { isPublic: false, isPublicAddress: () => false };
  assertFinding(judgeSignal(joined("10.0.0.1"), setting), "PASS");
});

Deno.test("judgeVersion() skips what it cannot compare", () => {
  assertFinding(judgeVersion({ kind: "no join", reason: "closed" }), "SKIP");
  assertFinding(
    judgeVersion({ kind: "joined", version: "nightly", iceServers: [], candidates: [] }),
    "SKIP",
  );
});
