/** One test that runs beside others over the same world. */
type Run<World> = (world: World) => Promise<void>;

/**
 * Makes a function like `Deno.test` for tests that mostly wait for real servers: they share a world
 * and run at the same time, and each is reported by itself.
 *
 * The world starts with the first test and ends with the file. Whoever looks into one scenario names a
 * part of it in `E2E_SCENARIO`; the others do not start then, and fail.
 *
 * @param startWorld Starts the servers.
 * @param atOnce How many scenarios run at the same time.
 */
export function createScenarios<World extends AsyncDisposable>(
  startWorld: () => Promise<World>,
  atOnce: number,
): (name: string, run: Run<World>) => void {
  const only = Deno.env.get("E2E_SCENARIO") ?? "";
  const waiting: (() => Promise<void>)[] = [];
  let world: World | undefined;

  Deno.test.beforeAll(async () => {
    const started = await startWorld();
    world = started;
    const work = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await next();
    };
    for (let i = 0; i < atOnce; i++) work();
  });
  Deno.test.afterAll(async () => await world?.[Symbol.asyncDispose]());

  return (name, run) => {
    const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
    // The test that awaits it may come much later.
    ended.catch(() => {});
    if (name.includes(only)) waiting.push(() => run(world!).then(resolve, reject));
    else reject(new Error(`E2E_SCENARIO=${only} leaves this one out`));
    // Each test begins and ends while others are in the middle.
    Deno.test({ name, sanitizeOps: false, sanitizeResources: false, fn: () => ended });
  };
}
