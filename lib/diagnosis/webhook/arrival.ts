/** Whether LiveKit's own webhooks arrive: the running service is asked, as only it sees them. */

import type { Finding } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import { visitRoom } from "../livekit/room_visit.ts";
import type { WebhookReport } from "../../sfu/webhook_sightings.ts";
import { localServiceUrl } from "./local_service.ts";
import { sendSample } from "./sample_event.ts";
import { reportIn } from "./webhook_report.ts";

/** What was seen. */
export type ArrivalFacts =
  | {
    readonly kind: "seen" | "not seen";
    /** The last one. */
    readonly report: WebhookReport;
    /** Milliseconds from the end of the visit until the service told of it, at most. */
    readonly lagMs: number;
    /** Events with a wrong signature since just before the visit. */
    readonly rejected: number;
  }
  | { readonly kind: "unknown"; readonly why: string };

const LONGEST_MS = 10_000;
const EVERY_MS = 500;

/** Visits a room and waits for the service to have heard of it; once. */
export function watchArrival(context: DoctorContext): Promise<ArrivalFacts> {
  return context.once("webhook arrival", () => watch(context));
}

async function watch(context: DoctorContext): Promise<ArrivalFacts> {
  const { clock } = context;
  const found = await findService(context);
  if (found === undefined) {
    return { kind: "unknown", why: "no running service tells of its webhooks (G1)" };
  }
  const { created, room } = await visitRoom(context);
  if (!created.answered || created.status !== 200) {
    return { kind: "unknown", why: "without a room LiveKit has nothing to tell (F3)" };
  }
  const since = clock.monotonic();
  let report = found.before;
  while (true) {
    report = reportIn(await sendSample(context, found.url)) ?? report;
    const lagMs = Math.round(clock.monotonic() - since);
    const rejected = report.rejected - found.before.rejected;
    if (report.doctor_rooms.includes(room)) return { kind: "seen", report, lagMs, rejected };
    if (lagMs > LONGEST_MS) return { kind: "not seen", report, lagMs, rejected };
    await new Promise<void>((resolve) => void clock.after(EVERY_MS, resolve));
  }
}

/** The service itself first: behind a public address there may be several. */
async function findService(
  context: DoctorContext,
): Promise<{ url: string; before: WebhookReport } | undefined> {
  const local = localServiceUrl(context.config.listen);
  const known = await context.facts.ownService();
  for (const url of [local, known?.url]) {
    const before = url && reportIn(await sendSample(context, url));
    if (url && before) return { url, before };
  }
  return undefined;
}

/** G2: judges whether an event of a room that was just created has come. */
export function judgeArrival(facts: ArrivalFacts): Finding {
  switch (facts.kind) {
    case "unknown":
      return { verdict: "SKIP", evidence: facts.why };
    case "seen": {
      const evidence = `an event of the doctor's room has come, within ${facts.lagMs} ms`;
      if (facts.lagMs < 2_000) return { verdict: "PASS", evidence };
      return {
        verdict: "WARN",
        evidence,
        remedy: "LiveKit's webhooks are slow: an address in webhook.urls that does not answer " +
          "holds up the others. Remove it.",
      };
    }
    case "not seen":
      if (facts.rejected > 0) {
        return {
          verdict: "FAIL",
          evidence: "events come, signed with another key than LIVEKIT_KEY",
          remedy: "Set webhook.api_key in livekit.yaml to LIVEKIT_KEY and restart LiveKit.",
        };
      }
      return {
        verdict: "FAIL",
        evidence: `no event of the doctor's room has come in ${LONGEST_MS / 1000} s; ` +
          `${facts.report.received} of others since the service's start`,
        remedy: "Add webhook.urls with this service's /sfu_webhook and webhook.api_key to " +
          "livekit.yaml and restart; LiveKit must resolve that name and trust its certificate.",
      };
  }
}

/** G3: judges the signatures of what has come. */
export function judgeSignatures(facts: ArrivalFacts): Finding {
  if (facts.kind === "unknown") return { verdict: "SKIP", evidence: facts.why };
  const { rejected, received } = facts.report;
  const evidence = `${rejected} events with a wrong signature since the service's start, ` +
    `${received} with a right one`;
  if (rejected === 0) return { verdict: "PASS", evidence };
  const remedy = "webhook.api_key in livekit.yaml is not LIVEKIT_KEY, or somebody else sends " +
    "webhooks here: set it, and restart LiveKit.";
  // Some may have been sent before it was put right.
  return { verdict: facts.kind === "seen" ? "WARN" : "FAIL", evidence, remedy };
}
