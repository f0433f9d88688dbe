/** Calls to LiveKit's RoomService: Twirp with JSON bodies. */

import { STATUS_CODE } from "@std/http/status";
import { parseJsonObject } from "../json_object.ts";
import { UpstreamError } from "../matrix/errors.ts";
import type { HttpClient, HttpResponse, HttpTarget } from "../net/http_client.ts";
import { outsideText } from "../outside_text.ts";
import type { ServiceGrant } from "../signing/service_token.ts";

/** A call to the SFU that did not work out. */
export class SfuError extends UpstreamError {
  override readonly name = "SfuError";

  /** LiveKit's own code (`not_found`, `unauthenticated` …), where the answer came from LiveKit. */
  readonly twirpCode: string | undefined;
  /** The status of an answer that did not come from LiveKit's RoomService. */
  readonly status: number | undefined;

  constructor(
    hop: UpstreamError["hop"],
    message: string,
    options?: ErrorOptions & { twirpCode?: string; status?: number },
  ) {
    super(hop, message, options);
    this.twirpCode = options?.twirpCode;
    this.status = options?.status;
  }

  /** Whether the SFU cannot be asked at all, as opposed to having said no. */
  get isOutage(): boolean {
    if (this.hop !== "answer") return this.hop !== "policy";
    return this.twirpCode === "unavailable" || (this.status !== undefined && this.status >= 500);
  }

  /** Whether what was called does not exist there: an older LiveKit, or a proxy with a list. */
  get isUnknownMethod(): boolean {
    return this.twirpCode === "bad_route" ||
      (this.status !== undefined && UNKNOWN_METHOD_STATUSES.includes(this.status));
  }
}

/** One call: method, request fields, and the grant that LiveKit asks for. */
export interface TwirpCall {
  readonly method: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly grant: ServiceGrant;
  /** How large the answer may be; a mebibyte unless told. */
  readonly maxBodyBytes?: number;
}

/** Makes calls; throws {@linkcode SfuError}. */
export type Twirp = (call: TwirpCall) => Promise<Record<string, unknown>>;

/** What calling needs. */
export interface TwirpOptions {
  readonly client: HttpClient;
  readonly target: HttpTarget;
  /** The path of the SFU's base URL, without a slash at its end. */
  readonly basePath: string;
  readonly serviceToken: (grant: ServiceGrant) => string;
}

const TIMEOUT_MS = 5_000;
const MAX_BODY_BYTES = 1024 * 1024;
const UTF_8 = new TextDecoder();
const UNKNOWN_METHOD_STATUSES: readonly number[] = [
  STATUS_CODE.NotFound,
  STATUS_CODE.MethodNotAllowed,
];

/**
 * Makes the function that calls RoomService.
 *
 * What an answer means is decided by its Twirp code, never by its HTTP status:
 * a proxy's 404 says nothing about rooms.
 */
export function createTwirp({ client, target, basePath, serviceToken }: TwirpOptions): Twirp {
  return async ({ method, body, grant, maxBodyBytes = MAX_BODY_BYTES }) => {
    const path = `${basePath}/twirp/livekit.RoomService/${method}`;
    const token = serviceToken(grant);
    const where = () => `${method} at ${target.protocol}://${target.hostHeader}${basePath}`;
    let response: HttpResponse;
    try {
      response = await client.request(target, {
        method: "POST",
        path,
        headers: {
          "content-type": "application/json",
          authorization: `Bearer ${token}`,
        },
        body: JSON.stringify(body),
        timeoutMs: TIMEOUT_MS,
        maxBodyBytes,
      });
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      throw new SfuError(error.hop, `${where()}: ${error.message}`, { cause: error });
    }
    const answer = parseJsonObject(response.body);
    if (response.status === 200 && answer !== undefined) return answer;
    throw describeFailure(where(), response, answer, { token, identity: body.identity });
  };
}

function describeFailure(
  where: string,
  { status, body }: HttpResponse,
  answer: Record<string, unknown> | undefined,
  { token, identity }: { token: string; identity: unknown },
): SfuError {
  if (typeof answer?.code === "string") {
    const twirpCode = answer.code;
    const reason = typeof answer.msg === "string" ? `${twirpCode}: ${answer.msg}` : twirpCode;
    // Servers are known to repeat the token that they refuse, and the message goes to the log; so
    // would the name of a participant, which holds a user ID.
    const shown = outsideText(withoutTexts(reason, { token, identity }));
    return new SfuError("answer", `${where}: LiveKit says ${shown}`, { twirpCode });
  }
  const hint = status === 401 || status === 403
    ? "check key, secret and clock"
    : "is this LiveKit, or a proxy in front of it?";
  return new SfuError("answer", `${where}: HTTP ${status} with ${kindOf(body)} (${hint})`, {
    status,
  });
}

function withoutTexts(text: string, hidden: Readonly<Record<string, unknown>>): string {
  let left = text;
  for (const [name, value] of Object.entries(hidden)) {
    if (typeof value === "string" && value !== "") left = left.replaceAll(value, `[${name}]`);
  }
  return left;
}

// The text itself stays out: what an unknown server says may hold anything.
function kindOf(body: Uint8Array): string {
  const start = UTF_8.decode(body.subarray(0, 200)).trimStart();
  if (start === "") return "an empty body";
  if (start.startsWith("<")) return "a web page";
  return /^[[{]/.test(start) ? "other JSON than LiveKit's" : "plain text";
}
