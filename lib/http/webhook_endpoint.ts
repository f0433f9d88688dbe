import { STATUS_CODE } from "@std/http/status";
import type { Clock } from "../clock.ts";
import { MatrixError, UpstreamError } from "../matrix/errors.ts";
import type { SfuEvent } from "../sfu/sfu_event.ts";
import type { WebhookReader } from "../sfu/webhook.ts";
import { DOCTOR_EVENT, WebhookSightings } from "../sfu/webhook_sightings.ts";
import type { Endpoint } from "./endpoint.ts";
import { readBody } from "./read_json.ts";

/** What the endpoint needs. */
export interface WebhookEndpointOptions {
  readonly read: WebhookReader;
  /** Takes an event in; rejects with an `UpstreamError` when it could not be kept. */
  readonly receive: (event: SfuEvent) => Promise<void>;
  readonly clock: Clock;
  /** Counts what comes; the endpoint's own if nobody else wants to know. */
  readonly sightings?: WebhookSightings;
}

const MAX_BODY_BYTES = 1024 * 1024;
const BODY_TIMEOUT_MS = 10_000;

/**
 * Makes `POST /sfu_webhook`: 200 for anything that LiveKit signed, 401 for all
 * else, 503 when the event could not be kept, upon which LiveKit sends it again.
 * LiveKit logs the status, so the operator finds a wrong key there too.
 *
 * `doctor` asks here what has come so far, with an event that is signed like any other: nobody
 * else learns it, and it counts for nothing.
 */
export function createWebhookEndpoint(options: WebhookEndpointOptions): Endpoint {
  const { read, receive, clock, sightings = new WebhookSightings(clock) } = options;
  const limits = { maxBytes: MAX_BODY_BYTES, timeoutMs: BODY_TIMEOUT_MS, clock };
  return async (request, { facts }) => {
    // Who has no key is told so before a byte of the body is waited for.
    const authorization = request.headers.get("authorization") ?? "";
    const readEvent = read(authorization);
    if (readEvent === undefined) {
      // Whoever sends nothing signed is no LiveKit with a wrong key.
      if (authorization !== "") sightings.noteRejected();
      throw notSigned();
    }
    const event = readEvent(await readBody(request, limits));
    if (event === undefined) throw notSigned();
    if (event.event === DOCTOR_EVENT) {
      const body = JSON.stringify({ webhooks: sightings.report() });
      return { status: STATUS_CODE.OK, contentType: "application/json", body };
    }
    sightings.note(event);
    if (event.createdAt !== undefined) {
      facts.lagSeconds = Math.max(Math.round(clock.now() / 1000 - event.createdAt), 0);
    }
    try {
      await receive(event);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      throw new MatrixError(
        "M_UNKNOWN",
        STATUS_CODE.ServiceUnavailable,
        "The event could not be kept",
        { cause: error },
      );
    }
    return { status: STATUS_CODE.OK };
  };
}

function notSigned(): MatrixError {
  return new MatrixError(
    "M_UNAUTHORIZED",
    STATUS_CODE.Unauthorized,
    "The webhook is not signed with the key of this service",
    { cause: new Error("is webhook.api_key in LiveKit's configuration LIVEKIT_KEY?") },
  );
}
