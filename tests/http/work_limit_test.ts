import { assertEquals, assertRejects } from "@std/assert";
import { WorkLimit } from "../../lib/http/work_limit.ts";
import { UnavailableError } from "../../lib/matrix/errors.ts";

Deno.test("WorkLimit refuses what is too much, and takes more once something ends", async () => {
  const limit = new WorkLimit(2);
  const first = Promise.withResolvers<string>();
  const second = Promise.withResolvers<string>();
  const running = [limit.run(() => first.promise), limit.run(() => second.promise)];
  const error = await assertRejects(
    () => limit.run(() => Promise.resolve("third")),
    UnavailableError,
    "Too many requests are in work",
  );
  assertEquals([error.status, error.retryAfterSeconds], [503, 1]);
  first.resolve("first");
  assertEquals(await running[0], "first");
  assertEquals(await limit.run(() => Promise.resolve("fourth")), "fourth");
  second.reject(new TypeError("bug"));
  await assertRejects(() => running[1]!, TypeError);
  const both = [1, 2].map((value) => limit.run(() => Promise.resolve(value)));
  assertEquals(await Promise.all(both), [1, 2]);
});

Deno.test("WorkLimit frees the place of an action that throws at once", async () => {
  const limit = new WorkLimit(1);
  for (let i = 0; i < 3; i++) {
    await assertRejects(() =>
      limit.run(() => {
        throw new TypeError("bug");
      }), TypeError);
  }
});

Deno.test("WorkLimit.drain() refuses all that is new, and lets the old end", async () => {
  const limit = new WorkLimit(2);
  const old = Promise.withResolvers<string>();
  const running = limit.run(() => old.promise);
  limit.drain();
  await assertRejects(
    () => limit.run(() => Promise.resolve()),
    UnavailableError,
    "Service is shutting down",
  );
  old.resolve("old");
  assertEquals(await running, "old");
});
