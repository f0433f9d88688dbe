import { STATUS_CODE } from "@std/http/status";
import type { Clock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { InvalidRequestError, MatrixError } from "../matrix/errors.ts";

/** Bounds on a request's body. */
export interface BodyLimits {
  readonly maxBytes: number;
  /** For the whole body to arrive. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * Reads a request's body, counting while it arrives.
 *
 * @throws {InvalidRequestError} `M_TOO_LARGE`; `M_NOT_JSON` when the client goes away.
 * @throws {MatrixError} 408 when the body does not arrive in time.
 */
export async function readBody(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array();
  const length = Number(request.headers.get("content-length") ?? NaN);
  if (length > limits.maxBytes) throw tooLarge(limits.maxBytes);
  // A length that was announced bounds the body, unless chunks take its place.
  const isBounded = Number.isInteger(length) && !request.headers.has("transfer-encoding");
  const abandoned = new AbortController();
  const reading = isBounded
    ? request.bytes()
    : readCounting(request.body, limits.maxBytes, abandoned.signal);
  const late = () => {
    abandoned.abort();
    return new MatrixError(
      "M_UNKNOWN",
      STATUS_CODE.RequestTimeout,
      "The request's body did not arrive in time",
    );
  };
  try {
    return await withDeadline(reading, limits.timeoutMs, limits.clock, late);
  } catch (error) {
    if (error instanceof MatrixError) throw error;
    throw new InvalidRequestError("M_NOT_JSON", "Error reading request", { cause: error });
  }
}

/**
 * Parses a body as JSON.
 *
 * @throws {InvalidRequestError} `M_NOT_JSON` for anything else, an empty body included.
 */
export function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    throw new InvalidRequestError("M_NOT_JSON", "Error reading request");
  }
}

async function readCounting(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
  abandoned: AbortSignal,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = body.getReader();
  abandoned.addEventListener("abort", () => void reader.cancel().catch(() => {}));
  while (true) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.length;
    if (bytes > maxBytes) {
      reader.cancel().catch(() => {});
      throw tooLarge(maxBytes);
    }
    chunks.push(value);
  }
  return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
}

function tooLarge(maxBytes: number): InvalidRequestError {
  return new InvalidRequestError("M_TOO_LARGE", `The body is larger than ${maxBytes} bytes`);
}
