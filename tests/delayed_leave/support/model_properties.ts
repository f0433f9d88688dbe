import fc from "fast-check";
import { CLIENT_COUNT, type ModelPlace, ModelWorld, type Step } from "./model_world.ts";

const client = fc.integer({ min: 0, max: CLIENT_COUNT - 1 });
const delayMs = fc.constantFrom(4_000, 20_000, 120_000, 900_000);
const identity = fc.constantFrom<0 | 1>(0, 1);
const faultMs = fc.constantFrom(300, 3_000, 20_000, 200_000);
const wait = fc.record({
  kind: fc.constant("wait" as const),
  ms: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 200 }) },
    { weight: 4, arbitrary: fc.integer({ min: 200, max: 5_000 }) },
    { weight: 4, arbitrary: fc.integer({ min: 5_000, max: 60_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 600_000 }) },
  ),
});
const enter = fc.record({
  kind: fc.constant("enter" as const),
  client,
  delayMs,
  first: fc.constantFrom<"delegate" | "join">("delegate", "join"),
  gapMs: fc.constantFrom(0, 50, 500, 3_000),
  joinAs: identity,
  delegateAs: identity,
  isProxied: fc.boolean(),
});

function of<K extends Step["kind"]>(...kinds: K[]) {
  return fc.record({ kind: fc.constantFrom(...kinds), client });
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: wait },
  { weight: 4, arbitrary: enter },
  {
    weight: 8,
    arbitrary: of("hang up", "die", "reconnect", "reconnect", "kick") as fc.Arbitrary<Step>,
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("abort" as const),
      client,
      reason: fc.constantFrom("SIGNAL_CLOSE", "CONNECTION_TIMEOUT", "UNKNOWN_REASON"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("drop" as const),
      client,
      reason: fc.constantFrom("STATE_MISMATCH", "SIGNAL_CLOSE", "CONNECTION_TIMEOUT"),
      gapMs: fc.constantFrom(20, 100, 400, 2_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("migrate" as const),
      client,
      keepsSid: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("renew" as const),
      client,
      delayMs,
      delegateAs: identity,
      isProxied: fc.boolean(),
      isSameEvent: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("sfu" as const),
      ms: faultMs,
      mode: fc.constantFrom(
        "up" as const,
        "up" as const,
        "unreachable" as const,
        "hanging" as const,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("sfu crashes" as const),
      ms: fc.constantFrom(300, 3_000, 20_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("webhooks" as const),
      ms: faultMs,
      mode: fc.constantFrom(
        "late" as const,
        "twice" as const,
        "dropped" as const,
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("homeserver" as const),
      ms: faultMs,
      mode: fc.constantFrom(
        "failing" as const,
        "limiting" as const,
        "hanging" as const,
        "mute" as const,
        "proxy" as const,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("store" as const),
      ms: faultMs,
      mode: fc.constantFrom(
        "refusing" as const,
        "hanging" as const,
        "mute" as const,
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        "service crashes" as const,
        "service stops" as const,
        "service starts" as const,
        "service starts" as const,
      ),
    }),
  },
);

/** How much is tried. */
export interface PropertyOptions {
  readonly runs: number;
  /** Another number, other sequences. */
  readonly seed?: number;
  /** Of a failure: that one alone, again. */
  readonly path?: string | undefined;
}

/**
 * Lets worlds go through random events, faults and restarts of the service, and
 * throws with the shortest story that ends badly.
 *
 * @param createPlace Makes an empty place for jobs, for each world.
 */
export async function checkProperties(
  createPlace: () => Promise<ModelPlace>,
  { path, runs, seed }: PropertyOptions,
): Promise<void> {
  const property = fc.asyncProperty(
    fc.array(enter, { minLength: 1, maxLength: CLIENT_COUNT }),
    wait,
    fc.array(step, { minLength: 1, maxLength: 30, size: "max" }),
    fc.integer(),
    async (entering, waiting, steps, seed) => {
      await using place = await createPlace();
      await new ModelWorld({ place, seed }).run([...entering, waiting, ...steps]);
    },
  );
  await fc.assert(property, {
    numRuns: runs,
    ...(seed !== undefined && { seed }),
    ...(path !== undefined && { path, endOnFailure: true }),
  });
}
