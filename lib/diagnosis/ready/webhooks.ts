import type { WebhookState } from "../../sfu/webhook_sightings.ts";
import type { ReadyCheck } from "./ready_check.ts";

/** G3: makes the check that LiveKit's webhooks come, signed with our key. */
export function createWebhookCheck(state: () => WebhookState): ReadyCheck {
  return {
    name: "webhooks",
    title: "Webhooks from LiveKit",
    isLogged: true,
    run() {
      switch (state()) {
        case "arriving":
          return { verdict: "PASS", evidence: "authentic events have come" };
        case "none":
          return { verdict: "SKIP", evidence: "none has come since the start; a call brings some" };
        case "rejected":
          return {
            verdict: "WARN",
            evidence: "the last event was signed with another key",
            remedy: "Set webhook.api_key in livekit.yaml to LIVEKIT_KEY and restart LiveKit; or " +
              "somebody else sends webhooks here.",
          };
      }
    },
  };
}
