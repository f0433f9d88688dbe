/** Events signed as LiveKit signs them, to see whether they get through. */

import { createHash } from "node:crypto";
import { createSigner } from "../../signing/hs256.ts";
import { DOCTOR_EVENT } from "../../sfu/webhook_sightings.ts";
import type { DoctorContext } from "../context.ts";
import type { Exchange } from "../probe.ts";

const TTL_SECONDS = 300;

/** What came of an authentic event, and of one that was changed on the way. */
export interface SampleFacts {
  readonly authentic: Exchange;
  readonly tampered: Exchange;
}

/** Sends both to a service, once for each. */
export function sendSamples(context: DoctorContext, serviceUrl: string): Promise<SampleFacts> {
  return context.once(`webhook samples ${serviceUrl}`, async () => ({
    authentic: await sendSample(context, serviceUrl),
    tampered: await sendSample(context, serviceUrl, true),
  }));
}

/**
 * Sends an event in which nothing has happened; this service's answer tells of the webhooks that
 * it has seen.
 *
 * @param isTampered Whether another body than the sent one is signed.
 */
export function sendSample(
  { config: { liveKit }, clock, probe }: DoctorContext,
  serviceUrl: string,
  isTampered = false,
): Promise<Exchange> {
  const now = Math.floor(clock.now() / 1000);
  const body = JSON.stringify({
    event: DOCTOR_EVENT,
    id: `EV_doctor_${now}`,
    createdAt: String(now),
  });
  const signed = isTampered ? `${body} ` : body;
  const sha256 = createHash("sha256").update(signed).digest("base64");
  const sign = createSigner(liveKit.secret);
  const token = sign({ iss: liveKit.key, nbf: now, exp: now + TTL_SECONDS, sha256 });
  return probe(`${serviceUrl}/sfu_webhook`, {
    method: "POST",
    // A bare token, as LiveKit has it.
    headers: { "content-type": "application/webhook+json", authorization: token },
    body,
  });
}
