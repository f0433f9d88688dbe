/** What the running service tells of the webhooks that it has seen. */

import type { WebhookReport } from "../../sfu/webhook_sightings.ts";
import type { Exchange } from "../probe.ts";

/** Reads it out of the answer to a sample; nothing where it is not there. */
export function reportIn(exchange: Exchange): WebhookReport | undefined {
  if (!exchange.answered || exchange.status !== 200) return undefined;
  const { webhooks } = (exchange.json ?? {}) as { webhooks?: Partial<WebhookReport> | null };
  if (typeof webhooks !== "object" || webhooks === null) return undefined;
  const { received, rejected, doctor_rooms: rooms } = webhooks;
  if (typeof received !== "number" || typeof rejected !== "number" || !Array.isArray(rooms)) {
    return undefined;
  }
  return { ...webhooks, received, rejected, doctor_rooms: rooms };
}
