import type { Verdict } from "../../../lib/diagnosis/check.ts";
import {
  type ArrivalFacts,
  judgeArrival,
  judgeSignatures,
} from "../../../lib/diagnosis/webhook/arrival.ts";
import { judgeDelayLimit } from "../../../lib/diagnosis/webhook/delay_limit.ts";
import { judgeSamples } from "../../../lib/diagnosis/webhook/judge_samples.ts";
import { judgeStore, type StoreFacts } from "../../../lib/diagnosis/webhook/store_check.ts";
import { reportIn } from "../../../lib/diagnosis/webhook/webhook_report.ts";
import type { Exchange } from "../../../lib/diagnosis/probe.ts";
import { assertEquals } from "@std/assert";
import { answer, assertFinding, refusal, refused } from "../support/answer.ts";

const PAGE = "<html><title>Hello</title></html>";
const taken = answer({ body: { webhooks: { received: 1, rejected: 0, doctor_rooms: [] } } });
const unsigned = refusal(401, "M_UNAUTHORIZED");
const SAMPLES: [string, Exchange, Exchange, Verdict, RegExp][] = [
  ["this service", taken, unsigned, "PASS", /401/],
  ["a service that checks nothing", answer({}), answer({}), "WARN", /does not check/],
  ["a path that is not forwarded", answer({ status: 404 }), unsigned, "FAIL", /Forward/],
  ["a method that is not", answer({ status: 405 }), unsigned, "FAIL", /Forward/],
  ["another key", unsigned, unsigned, "FAIL", /another LIVEKIT_KEY/],
  ["a bad gateway", answer({ status: 502, body: PAGE }), unsigned, "FAIL", /check the port/],
  ["a web page", answer({ body: PAGE }), answer({ body: PAGE }), "FAIL", /Something else/],
  ["the SFU", answer({ body: "OK" }), answer({ body: "OK" }), "FAIL", /Something else/],
  ["a login", answer({ status: 302 }), unsigned, "FAIL", /Something else/],
  ["nobody", refused, refused, "FAIL", /webhook\.urls/],
];
for (const [name, authentic, tampered, verdict, says] of SAMPLES) {
  Deno.test(`judgeSamples() of ${name}`, () => {
    assertFinding(judgeSamples({ authentic, tampered }), verdict, says);
  });
}

Deno.test("reportIn() takes a report of this service only", () => {
  assertEquals(reportIn(taken), { received: 1, rejected: 0, doctor_rooms: [] });
  for (const exchange of [refused, unsigned, answer({}), answer({ body: { webhooks: 7 } })]) {
    assertEquals(reportIn(exchange), undefined);
  }
});

function arrival(kind: "seen" | "not seen", lagMs: number, rejected: number, before = 0) {
  const report = { received: 4, rejected: rejected + before, doctor_rooms: [] };
  return { kind, lagMs, rejected, report } as const;
}
const ARRIVALS: [string, ArrivalFacts, [Verdict, RegExp], [Verdict, RegExp]][] = [
  ["one that came", arrival("seen", 15, 0), ["PASS", /15 ms/], ["PASS", /^0 events/]],
  ["a slow one", arrival("seen", 4_000, 0), ["WARN", /slow/], ["PASS", /^0/]],
  [
    "one that came, after wrong ones",
    arrival("seen", 15, 0, 3),
    ["PASS", /15 ms/],
    ["WARN", /api_key/],
  ],
  ["none", arrival("not seen", 10_001, 0), ["FAIL", /webhook\.urls/], ["PASS", /^0/]],
  ["wrong ones", arrival("not seen", 10_001, 2), ["FAIL", /another key/], ["FAIL", /api_key/]],
  ["nobody knows what", { kind: "unknown", why: "(G1)" }, ["SKIP", /G1/], ["SKIP", /G1/]],
];
for (const [name, facts, arrived, signed] of ARRIVALS) {
  Deno.test(`judgeArrival() and judgeSignatures() of ${name}`, () => {
    assertFinding(judgeArrival(facts), ...arrived);
    assertFinding(judgeSignatures(facts), ...signed);
  });
}

const STORES: [StoreFacts, Verdict, RegExp][] = [
  [{ kind: "memory", pollingSeconds: 30 }, "PASS", /forgets/],
  [{ kind: "redis", pollingSeconds: 30 }, "PASS", /in Redis/],
  [{ kind: "file", pollingSeconds: 0 }, "WARN", /SANITY_CHECK_INTERVAL/],
  [{ kind: "redis", pollingSeconds: 30, trouble: "no Redis" }, "FAIL", /LIVEKIT_REDIS_URL/],
  [{ kind: "file", pollingSeconds: 30, trouble: "EACCES" }, "FAIL", /MATRIXRTC_STATE_DIR/],
  [{ kind: "off", pollingSeconds: 30 }, "SKIP", /off/],
];
for (const [facts, verdict, says] of STORES) {
  Deno.test(`judgeStore() of ${JSON.stringify(facts)}`, () => {
    assertFinding(judgeStore(facts), verdict, says);
  });
}

Deno.test("judgeDelayLimit() wants an hour", () => {
  const judge = (name: string, ms: unknown) =>
    judgeDelayLimit(answer({ body: { capabilities: { [name]: { max_delay_ms: ms } } } }));
  assertFinding(judge("m.delayed_events", 3_600_000), "PASS");
  assertFinding(judge("org.matrix.msc4140.delayed_events", 3_599_999), "FAIL", /1h or more/);
  assertFinding(judge("m.other", 1), "SKIP");
  assertFinding(judgeDelayLimit(refusal(401, "M_UNKNOWN_TOKEN")), "SKIP", /401/);
  assertFinding(judgeDelayLimit(undefined), "SKIP", /--user-token-file/);
});
