/** Sends spans to the collector, one request at a time. */

import { STATUS_CODE } from "@std/http/status";
import type { TracingConfig } from "../../config/config.ts";
import { UpstreamError } from "../../matrix/errors.ts";
import type { HttpClient } from "../../net/http_client.ts";
import { targetOfUrl } from "../../net/target.ts";
import { describeError } from "../logger.ts";

/** What became of an attempt. */
export type Delivery =
  /** Taken; `rejected` spans of it were not. */
  | { readonly kind: "taken"; readonly rejected: number }
  /** Not now; `waitMs` is what the collector asks for, as far as it does. */
  | { readonly kind: "later"; readonly reason: string; readonly waitMs?: number }
  /** Never. */
  | { readonly kind: "refused"; readonly reason: string };

/** Sends a body; never throws. */
export type Deliver = (body: string, timeoutMs: number) => Promise<Delivery>;

/** What OpenTelemetry's protocol lets be sent again; all other answers are final. */
const RETRYABLE: readonly number[] = [
  STATUS_CODE.TooManyRequests,
  STATUS_CODE.BadGateway,
  STATUS_CODE.ServiceUnavailable,
  STATUS_CODE.GatewayTimeout,
];
const MAX_ANSWER_BYTES = 64 * 1024;
const UTF_8 = new TextDecoder();

/** Makes the function that sends. The collector is the operator's own, so it may be anywhere. */
export function createDelivery(
  { url, headers }: Pick<TracingConfig, "url" | "headers">,
  client: HttpClient,
): Deliver {
  const { origin, pathname } = new URL(url);
  const { target } = targetOfUrl(origin, 1);

  return async (body, timeoutMs) => {
    const request = {
      method: "POST" as const,
      path: pathname,
      headers: {
        ...Object.fromEntries([...headers].map(([name, value]) => [name, value.reveal()])),
        "content-type": "application/json",
      },
      body,
      timeoutMs,
      maxBodyBytes: MAX_ANSWER_BYTES,
    };
    try {
      const { status, headers, body } = await client.request(target, request);
      if (status >= 200 && status < 300) return { kind: "taken", rejected: rejectedIn(body) };
      const reason = `it says HTTP ${status}${hintFor(status)}`;
      if (!RETRYABLE.includes(status)) return { kind: "refused", reason };
      const seconds = Number(headers["retry-after"]);
      return { kind: "later", reason, ...seconds > 0 && { waitMs: seconds * 1000 } };
    } catch (error) {
      // Of a fault of ours nothing is known, not even whether it would tell a header.
      const isUpstream = error instanceof UpstreamError;
      return { kind: "later", reason: isUpstream ? describeError(error) : "a bug" };
    }
  };
}

function hintFor(status: number): string {
  if (status === STATUS_CODE.Unauthorized || status === STATUS_CODE.Forbidden) {
    return " (check OTEL_EXPORTER_OTLP_HEADERS)";
  }
  if (status === STATUS_CODE.NotFound || status === STATUS_CODE.MethodNotAllowed) {
    return " (is OTEL_EXPORTER_OTLP_ENDPOINT a collector's OTLP over HTTP?)";
  }
  return "";
}

/** A collector that takes a part says how much it did not take. */
function rejectedIn(body: Uint8Array): number {
  try {
    const rejected = Number(JSON.parse(UTF_8.decode(body)).partialSuccess?.rejectedSpans);
    return rejected > 0 ? rejected : 0;
  } catch {
    // An empty answer is as good as an empty object.
    return 0;
  }
}
