import { assertEquals, assertRejects } from "@std/assert";
import { createAddressPolicy } from "../../lib/net/address_policy.ts";
import { createConnect } from "../../lib/net/connect.ts";
import { lookupAddresses } from "../../lib/net/dial.ts";
import { targetOfUrl } from "../../lib/net/target.ts";
import { installTlsTrust } from "../../lib/net/tls_trust.ts";
import { createUndiciClient } from "../../lib/net/undici_client.ts";
import { Secret } from "../../lib/secret.ts";
import { createParticipants, type Participants } from "../../lib/sfu/participants.ts";
import { createTwirp, SfuError } from "../../lib/sfu/twirp.ts";
import { createSigner } from "../../lib/signing/hs256.ts";
import { createServiceTokens } from "../../lib/signing/service_token.ts";
import { SFU_SECRET, type SfuSettings, startSfu } from "../fakes/sfu.ts";
import { createManualClock } from "../support/manual_clock.ts";

/** An SFU, and what looks into its rooms. */
function createWorld(settings: SfuSettings = {}) {
  const sfu = startSfu(settings);
  const clock = createManualClock(Date.now());
  const client = createUndiciClient({
    clock,
    connect: createConnect({
      clock,
      lookup: lookupAddresses,
      policy: createAddressPolicy([]),
      trust: installTlsTrust([], []),
      proxy: { except: [] },
      insecureSkipVerifyTls: false,
    }),
  });
  const sign = createSigner(new Secret(SFU_SECRET));
  const participants = createParticipants(createTwirp({
    client,
    ...targetOfUrl(sfu.apiUrl, 4),
    serviceToken: createServiceTokens({ apiKey: sfu.key, sign, clock }),
  }));
  return {
    sfu,
    clock,
    participants,
    async [Symbol.asyncDispose]() {
      await client.close();
      await sfu.close();
    },
  };
}

for (const state of ["JOINING", "JOINED", "ACTIVE"] as const) {
  Deno.test(`find() finds a participant who is ${state}`, async () => {
    await using world = createWorld();
    const sid = world.sfu.join("call", "@alice:example.org:DEVICE", state);
    assertEquals(await world.participants.find("call", "@alice:example.org:DEVICE"), {
      identity: "@alice:example.org:DEVICE",
      sid,
    });
    assertEquals(world.sfu.calls.map(({ method, body, claims }) => [method, body, claims.video]), [
      [
        "GetParticipant",
        { room: "call", identity: "@alice:example.org:DEVICE" },
        { roomAdmin: true, room: "call" },
      ],
    ]);
  });
}

Deno.test("find() finds nobody in another room, none, or who has gone", async () => {
  await using world = createWorld();
  world.sfu.join("call", "alice");
  world.sfu.join("call", "bob", "DISCONNECTED");
  const { find } = world.participants;
  for (const [room, identity] of [["call", "nobody"], ["other", "alice"], ["call", "bob"]]) {
    assertEquals(await find(room!, identity!), undefined);
  }
});

Deno.test("list() lists who is in a room or coming in, with an empty list for no room", async () => {
  await using world = createWorld();
  const alice = world.sfu.join("call", "alice");
  const carol = world.sfu.join("call", "carol", "JOINING");
  world.sfu.join("call", "bob", "DISCONNECTED");
  assertEquals(await world.participants.list("call"), [
    { identity: "alice", sid: alice },
    { identity: "carol", sid: carol },
  ]);
  assertEquals(await world.participants.list("other"), []);
  assertEquals(world.sfu.calls.map(({ claims }) => claims.video), [
    { roomAdmin: true, room: "call" },
    { roomAdmin: true, room: "other" },
  ]);
});

Deno.test("find() and list() tell what participants have attached", async () => {
  await using world = createWorld();
  const attributes = { "io.matrixrtc-auth.member": "sealed" };
  const sid = world.sfu.join("call", "alice", "ACTIVE", attributes);
  const alice = { identity: "alice", sid, attributes };
  assertEquals(await world.participants.find("call", "alice"), alice);
  assertEquals(await world.participants.list("call"), [alice]);
});

Deno.test("list() takes a room with more participants than a mebibyte holds", async () => {
  await using world = createWorld();
  for (let i = 0; i < 5_000; i++) world.sfu.join("call", `${i}`.padStart(60, "x"));
  assertEquals((await world.participants.list("call")).length, 5_000);
});

Deno.test("listRooms() tells of the rooms that exist", async () => {
  await using world = createWorld();
  world.sfu.join("call", "alice");
  world.sfu.join("call", "bob");
  world.sfu.join("other", "alice");
  const rooms = await world.participants.listRooms(["call", "none"]);
  assertEquals(rooms.map(({ name, numParticipants }) => [name, numParticipants]), [["call", 2]]);
  assertEquals(rooms[0]!.sid.slice(0, 3), "RM_");
  assertEquals((await world.participants.listRooms([])).length, 2);
  assertEquals(world.sfu.calls[0]!.claims.video, { roomList: true });
});

const ASKS: { name: string; ask(participants: Participants): Promise<unknown> }[] = [
  { name: "find()", ask: ({ find }) => find("call", "alice") },
  { name: "list()", ask: ({ list }) => list("call") },
  { name: "listRooms()", ask: ({ listRooms }) => listRooms(["call"]) },
];
const twirp = (status: number, code: string) => Response.json({ code, msg: "no" }, { status });

for (const { name, ask } of ASKS) {
  for (
    const { what, answer, isOutage, isUnknownMethod } of [
      {
        what: "a proxy's 404",
        answer: () => new Response("<html>", { status: 404 }),
        isOutage: false,
        isUnknownMethod: true,
      },
      {
        what: "a method that LiveKit does not know",
        answer: () => twirp(404, "bad_route"),
        isOutage: false,
        isUnknownMethod: true,
      },
      {
        what: "a refusal",
        answer: () => twirp(401, "unauthenticated"),
        isOutage: false,
        isUnknownMethod: false,
      },
      {
        what: "a token that is not taken",
        answer: () => new Response("invalid token", { status: 401 }),
        isOutage: false,
        isUnknownMethod: false,
      },
      {
        what: "a LiveKit in trouble",
        answer: () => twirp(503, "unavailable"),
        isOutage: true,
        isUnknownMethod: false,
      },
      {
        what: "a fault inside LiveKit",
        answer: () => twirp(500, "internal"),
        isOutage: false,
        isUnknownMethod: false,
      },
      {
        what: "a proxy that reaches nobody",
        answer: () => new Response("Bad Gateway", { status: 502 }),
        isOutage: true,
        isUnknownMethod: false,
      },
    ]
  ) {
    Deno.test(`${name} does not take ${what} for absence`, async () => {
      await using world = createWorld({ respond: answer });
      const error = await assertRejects(() => ask(world.participants), SfuError);
      assertEquals([error.isOutage, error.isUnknownMethod], [isOutage, isUnknownMethod]);
    });
  }

  Deno.test(`${name} fails while the SFU is down, and works again after`, async () => {
    await using world = createWorld();
    await ask(world.participants);
    world.sfu.isDown = true;
    assertEquals((await assertRejects(() => ask(world.participants), SfuError)).isOutage, true);
    world.sfu.isDown = false;
    await ask(world.participants);
  });

  Deno.test(`${name} waits five seconds for an SFU that hangs`, async () => {
    await using world = createWorld({ isHanging: true });
    const asking = assertRejects(() => ask(world.participants), SfuError, "5.0 s");
    await world.sfu.received(1);
    world.clock.advance(5_000);
    assertEquals((await asking).isOutage, true);
  });

  Deno.test(`${name} does not believe what is not LiveKit's`, async () => {
    for (const body of ['{"rooms":{},"participants":{}}', '{"rooms":[1],"participants":[1]}']) {
      await using world = createWorld({ respond: () => new Response(body) });
      await assertRejects(() => ask(world.participants), SfuError, "is this LiveKit?");
    }
  });
}

Deno.test("list() and find() do not believe in a participant without identity", async () => {
  const nameless = { participants: [{ sid: "PA_1" }], sid: "PA_1", state: "ACTIVE" };
  await using world = createWorld({ respond: () => Response.json(nameless) });
  await assertRejects(() => world.participants.list("call"), SfuError, "identity");
  await assertRejects(() => world.participants.find("call", "alice"), SfuError, "identity");
});

Deno.test("an SFU that refuses connections is an outage", () => {
  for (const hop of ["dns", "tcp", "tls", "http"] as const) {
    assertEquals(new SfuError(hop, "no").isOutage, true);
  }
  assertEquals(new SfuError("policy", "forbidden").isOutage, false);
});
