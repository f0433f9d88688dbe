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

/** The body ended early: its sender went away, or the server has stopped to read. */
export class LostBodyError extends InvalidRequestError {
  constructor(cause: unknown) {
    super("M_NOT_JSON", "Error reading request", { cause });
  }
}

const NOTHING = new Uint8Array();
const UTF_8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads a request's body, counting while it arrives.
 *
 * @throws {InvalidRequestError} `M_TOO_LARGE`.
 * @throws {LostBodyError} `M_NOT_JSON`, when the client goes away.
 * @throws {MatrixError} 408 when the body does not arrive in time.
 */
export async function readBody(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  const length = request.headers.get("content-length");
  if (Number(length) > limits.maxBytes) throw tooLarge(limits.maxBytes);
  // A length that was announced bounds the body, unless chunks take its place. Then the whole is
  // read at once: to look at `request.body` alone would cost more than all else here.
  const reading = length === null || request.headers.has("transfer-encoding")
    ? readCounting(request, limits.maxBytes)
    : { body: request.bytes(), abandon: () => {} };
  const late = () => {
    reading.abandon();
    return new MatrixError("M_UNKNOWN", STATUS_CODE.RequestTimeout, "The body came too slowly");
  };
  try {
    return await withDeadline(reading.body, limits.timeoutMs, limits.clock, late);
  } catch (error) {
    if (error instanceof MatrixError) throw error;
    throw new LostBodyError(error);
  }
}

/**
 * Parses a body as JSON.
 *
 * @throws {InvalidRequestError} `M_NOT_JSON` for anything else, an empty body included.
 */
export function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(UTF_8.decode(body));
  } catch {
    throw new InvalidRequestError("M_NOT_JSON", "Error reading request");
  }
}

function readCounting(request: Request, maxBytes: number) {
  const reader = request.body?.getReader();
  const abandon = () => void reader?.cancel().catch(() => {});

  async function read(): Promise<Uint8Array> {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    let bytes = 0;
    while (reader !== undefined) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.length;
      if (bytes > maxBytes) {
        abandon();
        throw tooLarge(maxBytes);
      }
      chunks.push(value);
    }
    return chunks.length === 0 ? NOTHING : await new Blob(chunks).bytes();
  }

  return { body: read(), abandon };
}

function tooLarge(maxBytes: number): InvalidRequestError {
  return new InvalidRequestError("M_TOO_LARGE", `The body is larger than ${maxBytes} bytes`);
}
