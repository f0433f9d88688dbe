import type { Finding } from "../check.ts";
import { describeExchange, lookOf } from "../describe_answer.ts";
import type { SampleFacts } from "./sample_event.ts";

/** G1: judges what the service says to a signed event, and to one that was changed. */
export function judgeSamples({ authentic, tampered }: SampleFacts): Finding {
  const fail = (evidence: string, remedy: string): Finding => ({
    verdict: "FAIL",
    evidence,
    remedy,
  });
  const evidence = `a signed event: ${describeExchange(authentic)}`;
  if (!authentic.answered) {
    return fail(
      evidence,
      "LiveKit cannot reach it either: use an address of this service in " +
        "webhook.urls that works from LiveKit.",
    );
  }
  const { status } = authentic;
  if (status === 404 || status === 405) {
    return fail(
      evidence,
      "Forward /sfu_webhook to this service, or use its internal address in webhook.urls of " +
        "livekit.yaml.",
    );
  }
  if (status === 401) {
    return fail(
      evidence,
      "The running service has another LIVEKIT_KEY or LIVEKIT_SECRET than this configuration " +
        "(restart it), or its clock is wrong.",
    );
  }
  if (status >= 502 && status <= 504) {
    return fail(evidence, "The proxy does not reach this service: check the port there.");
  }
  if (status !== 200 || lookOf(authentic) === "html" || lookOf(authentic) === "livekit-ok") {
    return fail(
      evidence,
      "Something else answers there: route /sfu_webhook to this service, for POST.",
    );
  }
  if (tampered.answered && tampered.status === 401) {
    return { verdict: "PASS", evidence: `${evidence}; one that was changed: 401` };
  }
  return {
    verdict: "WARN",
    evidence: `${evidence}; one that was changed: ${describeExchange(tampered)}, not 401`,
    remedy: "What answers there does not check signatures: is it this service, of this version?",
  };
}
