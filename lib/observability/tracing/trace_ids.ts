/** Draws identifiers, as W3C Trace Context has them. */
export interface TraceIds {
  /** 32 hexadecimal digits. */
  traceId(): string;
  /** 16 hexadecimal digits. */
  spanId(): string;
}

const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;
/** Randomness is fetched for many IDs at once: each fetch costs more than an ID. */
const POOL_BYTES = 4096;

/**
 * Makes IDs of random bytes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createTraceIds } from "./trace_ids.ts";
 *
 * const ids = createTraceIds((bytes) => void bytes.fill(0xab));
 * assertEquals(ids.spanId(), "abababababababab");
 * ```
 *
 * @param fillRandom Fills an array of up to 64 KiB with random bytes.
 */
export function createTraceIds(fillRandom: (bytes: Uint8Array<ArrayBuffer>) => void): TraceIds {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;

  function draw(length: number): string {
    if (used + length > POOL_BYTES) {
      fillRandom(pool);
      used = 0;
    }
    const id = toHex(pool.subarray(used, used += length));
    // All zero means "none".
    return /[^0]/.test(id) ? id : draw(length);
  }

  return { traceId: () => draw(TRACE_ID_BYTES), spanId: () => draw(SPAN_ID_BYTES) };
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** Digits that a number holds exactly; OpenTelemetry compares fourteen of them, the last ones. */
const COMPARED_DIGITS = 13;

/**
 * Says whether a trace is among the share that is to be kept. Every service decides the same about
 * one trace ID, and a trace that is in a small share is in every larger one.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { isSampled } from "./trace_ids.ts";
 *
 * const traceId = "000000000000000000c0000000000000";
 * assertEquals([isSampled(traceId, 0.25), isSampled(traceId, 0.2)], [true, false]);
 * ```
 *
 * @param ratio From 0, none, to 1, all.
 */
export function isSampled(traceId: string, ratio: number): boolean {
  if (ratio >= 1) return true;
  const digits = traceId.slice(32 - COMPARED_DIGITS - 1, -1);
  return parseInt(digits, 16) / 16 ** COMPARED_DIGITS >= 1 - ratio;
}
