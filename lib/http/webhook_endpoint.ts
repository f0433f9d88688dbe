import { STATUS_CODE } from "@std/http/status";
import type { Clock } from "../clock.ts";
import { MatrixError } from "../matrix/errors.ts";
import type { SfuEvent, WebhookReader } from "../sfu/webhook.ts";
import type { Endpoint } from "./endpoint.ts";
import { readBody } from "./read_json.ts";

/** What the endpoint needs. */
export interface WebhookEndpointOptions {
  readonly read: WebhookReader;
  readonly receive: (event: SfuEvent) => void;
  readonly clock: Clock;
}

const MAX_BODY_BYTES = 1024 * 1024;
const BODY_TIMEOUT_MS = 10_000;

/**
 * Makes `POST /sfu_webhook`: 200 for anything that LiveKit signed, 401 for all
 * else. LiveKit logs the status, so the operator finds a wrong key there too.
 */
export function createWebhookEndpoint({ read, receive, clock }: WebhookEndpointOptions): Endpoint {
  const limits = { maxBytes: MAX_BODY_BYTES, timeoutMs: BODY_TIMEOUT_MS, clock };
  return async (request) => {
    const authorization = request.headers.get("authorization") ?? "";
    const body = await readBody(request, limits);
    const event = await read(new TextDecoder().decode(body), authorization);
    if (event === undefined) {
      throw new MatrixError(
        "M_UNAUTHORIZED",
        STATUS_CODE.Unauthorized,
        "The webhook is not signed with the key of this service",
        { cause: new Error("is webhook.api_key in LiveKit's configuration LIVEKIT_KEY?") },
      );
    }
    receive(event);
    return { status: STATUS_CODE.OK };
  };
}
