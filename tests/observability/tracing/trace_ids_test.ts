import { assert, assertEquals, assertMatch } from "@std/assert";
import { createTraceIds, isSampled } from "../../../lib/observability/tracing/trace_ids.ts";

const fillRandom = (bytes: Uint8Array<ArrayBuffer>) => void crypto.getRandomValues(bytes);

Deno.test("createTraceIds() makes IDs of the right form, each once", () => {
  const ids = createTraceIds(fillRandom);
  const seen = new Set<string>();
  for (let i = 0; i < 2_000; i++) {
    const [traceId, spanId] = [ids.traceId(), ids.spanId()];
    assertMatch(traceId, /^[0-9a-f]{32}$/);
    assertMatch(spanId, /^[0-9a-f]{16}$/);
    seen.add(traceId).add(spanId);
  }
  assertEquals(seen.size, 4_000);
});

Deno.test("createTraceIds() never gives the ID that means none", () => {
  let fills = 0;
  const ids = createTraceIds((bytes) => void bytes.fill(fills++ === 0 ? 0 : 7));
  assertEquals(ids.traceId(), "07".repeat(16));
});

Deno.test("isSampled() takes the share that was asked for, the smaller ones within the larger", () => {
  const ids = createTraceIds(fillRandom);
  const drawn = Array.from({ length: 20_000 }, () => ids.traceId());
  const shares = [0, 0.01, 0.25, 0.5, 1];
  const sampled = shares.map((ratio) => drawn.filter((id) => isSampled(id, ratio)));
  for (const [i, ratio] of shares.entries()) {
    const share = sampled[i]!.length / drawn.length;
    // Five standard deviations, and exact at both ends.
    assert(
      Math.abs(share - ratio) <= 5 * Math.sqrt(ratio * (1 - ratio) / drawn.length),
      `${share}`,
    );
    if (i > 0) assert(sampled[i - 1]!.every((id) => isSampled(id, ratio)));
  }
});
