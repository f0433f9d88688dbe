import { assertEquals, assertMatch } from "@std/assert";
import { hopOf } from "../net/fixtures.ts";
import { OWN, startWorld } from "./fixtures.ts";

Deno.test("check() says that the homeserver answers", async () => {
  await using world = await startWorld();
  await world.check();
  const [line, ...more] = await world.logged();
  assertMatch(line!, /info the homeserver answers its application service/i);
  assertEquals(more, []);
  const [{ roomId, member, joined }] = world.appService.questions as [
    typeof world.appService.questions[0],
  ];
  // Synapse takes an ID without server part for one only if it looks like a hash.
  assertMatch(roomId, /^![A-Za-z0-9_-]{43}$/);
  assertEquals([member, joined], [OWN, false]);
});

const faults: [string, Parameters<typeof startWorld>[0], RegExp][] = [
  ["a wrong token", { asToken: "wrong" }, /does not know LIVEKIT_AS_TOKEN/],
  ["a missing scope", { appService: { hasScope: false } }, /lacks the scope/],
  ["a missing flag", { appService: { joinedPaths: "none" } }, /msc4502_enabled/],
  ["a homeserver that is down", { baseUrl: "http://127.0.0.1:1" }, /127\.0\.0\.1/],
];
for (const [what, options, remedy] of faults) {
  Deno.test(`check() warns of ${what}, and nobody does again`, async () => {
    await using world = await startWorld(options);
    await world.check();
    await hopOf(world.membership.isJoined("!room", { serverName: OWN }, 4_000));
    const [line, ...more] = await world.logged();
    assertMatch(line!, /^warn/i);
    assertMatch(line!, remedy);
    assertEquals(more, []);
  });
}

Deno.test("check() ends after 5 s", async () => {
  await using world = await startWorld();
  const { promise, resolve } = Promise.withResolvers<Response>();
  world.appService.settings.respond = () => promise;
  const checking = world.check();
  await world.homeserver.received(1);
  world.clock.advance(5_000);
  await checking;
  assertMatch((await world.logged())[0]!, /no answer from .* in 5\.0 s/);
  resolve(Response.json({}));
});
