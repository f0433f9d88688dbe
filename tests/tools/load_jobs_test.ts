import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ParticipantInfo, Room, RoomServiceClient, WebhookReceiver } from "livekit-server-sdk";
import { startHttpServer } from "../fakes/http_server.ts";
import { startRawServer } from "../fakes/raw_server.ts";
import { ROOT } from "../support/service.ts";
import { parseLoadArguments } from "../../tools/load/arguments.ts";
import { userOfDelayId } from "../../tools/load/delayed_events.ts";
import { LoadUsers } from "../../tools/load/load_users.ts";
import { readStrings, writeMessage } from "../../tools/load/protobuf.ts";
import { SfuRooms } from "../../tools/load/sfu_rooms.ts";
import { deliverWebhook, writeWebhook } from "../../tools/load/webhook.ts";
import { runWorkers } from "../../tools/load/workers.ts";

const KEY = { key: "devkey", secret: "a-secret-of-thirty-two-characters!" };
const PHASE = { connections: 2, timeoutMs: 10_000 };
const DELAY_MS = 60_000;

/** How a service without a job of its own deals with its users. */
interface ServiceManners {
  /** Status of the answer to a token request, by the user's number. */
  tokenStatus?(user: number): number;
  /** What it does when somebody has come or gone. */
  onJoined?(user: number, world: World): void;
  onLeft?(user: number, world: World): void;
  /** Status of the answer to a webhook, by how many came before. */
  webhookStatus?(before: number): number;
}

interface World {
  users: LoadUsers;
  rooms: SfuRooms;
  now(): number;
}

/** Users in rooms of two with a service between them that does as it is told. */
function startWorld(users: number, manners: ServiceManners) {
  const { tokenStatus = () => 200, webhookStatus = () => 200, onJoined, onLeft } = manners;
  const rooms = new SfuRooms();
  const receiver = new WebhookReceiver(KEY.key, KEY.secret);
  let now = 0;
  let webhooks = 0;
  const server = startHttpServer({
    async handler(request, { path }) {
      if (path === "/sfu_webhook") {
        const status = webhookStatus(webhooks++);
        const authorization = request.headers.get("authorization")!;
        const { event, participant, room } = await receiver.receive(
          await request.text(),
          authorization,
        );
        if (status !== 200) return new Response(null, { status });
        const [, user] = /^user(\d+)$/.exec(participant!.identity)!;
        assertEquals(room!.name, `room${Number(user) % Math.ceil(users / 2)}`);
        const act = event === "participant_joined" ? onJoined : onLeft;
        act?.(Number(user), world);
        return new Response(null);
      }
      const body = await request.json();
      assertEquals(body.delay_timeout, DELAY_MS);
      const user = userOfDelayId(body.delay_id);
      const room = `room${Number((body.room_id ?? body.room).slice(2))}`;
      const claims = btoa(JSON.stringify({ sub: `user${user}`, video: { room } }));
      return Response.json({ url: "wss://x", jwt: `e30.${claims}.c2ln` }, {
        status: tokenStatus(user),
      });
    },
  });
  const world: World = {
    rooms,
    now: () => now,
    users: new LoadUsers({
      users,
      roomSize: 2,
      delayMs: DELAY_MS,
      path: "/get_token",
      serverName: "localhost:1",
      port: server.port,
      key: KEY,
    }, {
      rooms,
      now: () => now,
      sleep: (ms) => {
        now += ms;
        return Promise.resolve();
      },
    }),
  };
  return { ...world, [Symbol.asyncDispose]: () => server.close() };
}

const send = (user: number, { users, now }: World) => users.events.send(user, now());

Deno.test("LoadUsers join, are looked after and leave, each leave sent once", async () => {
  await using world = startWorld(5, {
    onJoined: (user, { users, now }) => users.events.restart(user, now()),
    onLeft: send,
  });
  const { users } = world;
  assertEquals(await users.join(PHASE), { seconds: 0, refused: {}, undelivered: 0 });
  assertEquals(users.present, 5);
  assertEquals(participantsOf(world.rooms, "room1"), ["user1", "user4"]);
  const report = await users.leave(PHASE);
  assertEquals(report, { webhookSeconds: 0, lastSendSeconds: 0, undelivered: 0 });
  assertEquals(participantsOf(world.rooms, "room1"), []);
  const { restarts, sends, twice, missing, lost, sentWhilePresent } = users.events.tally(0);
  assertEquals([restarts, sends, twice, missing, lost, sentWhilePresent], [5, 5, 0, 0, 0, 0]);
});

Deno.test("LoadUsers tell of a service that forgets, repeats and throws out", async () => {
  await using world = startWorld(4, {
    onJoined: (user, world) => user === 3 && send(user, world),
    onLeft(user, world) {
      if (user === 0) return;
      send(user, world);
      if (user === 1) send(user, world);
    },
  });
  await world.users.join(PHASE);
  await world.users.leave(PHASE);
  const { sends, twice, missing, sentWhilePresent } = world.users.events.tally(world.now());
  // User 3's second leave is one too many as well.
  assertEquals([sends, twice, missing, sentWhilePresent], [3, 2, 1, 1]);
});

Deno.test("LoadUsers who get no token are owed nothing", async () => {
  await using world = startWorld(4, {
    tokenStatus: (user) => user < 3 ? 429 : 200,
    onLeft: send,
  });
  assertEquals((await world.users.join(PHASE)).refused, { 429: 3 });
  assertEquals(world.users.present, 1);
  await world.users.leave(PHASE);
  const { sends, missing, lost } = world.users.events.tally(DELAY_MS * 2);
  assertEquals([sends, missing, lost], [1, 0, 0]);
});

Deno.test("LoadUsers knock again when a webhook was not taken", async () => {
  await using once = startWorld(1, { webhookStatus: (before) => before === 0 ? 502 : 200 });
  assertEquals((await once.users.join(PHASE)).undelivered, 0);
  assertEquals(once.now(), 1000);
  await using never = startWorld(1, { webhookStatus: () => 502 });
  assertEquals((await never.users.join(PHASE)).undelivered, 1);
});

function participantsOf(rooms: SfuRooms, room: string): string[] {
  const request = new TextEncoder().encode(JSON.stringify({ room }));
  const { body } = rooms.answer("ListParticipants", request, "application/json");
  return JSON.parse(body as string).participants.map(({ identity }: ParticipantInfo) => identity)
    .sort();
}

Deno.test("deliverWebhook() waits as LiveKit does, and gives up as it does", async () => {
  const waits: number[] = [];
  const sleep = (ms: number) => Promise.resolve(void waits.push(ms));
  let attempts = 0;
  const broken = () => Promise.reject(new Error(`closed ${++attempts}`));
  assertEquals(await deliverWebhook(broken, sleep), false);
  assertEquals([attempts, waits], [5, [1000, 2000, 4000, 8000]]);
  assertEquals(await deliverWebhook(() => Promise.resolve(401), sleep), true);
});

Deno.test("writeWebhook() tells who has hung up, signed as LiveKit signs", async () => {
  const webhook = {
    event: "participant_left",
    room: "call",
    identity: "@zoë:a.example:D",
    sid: "PA_1",
  } as const;
  const [head = "", body = ""] = new TextDecoder().decode(writeWebhook(webhook, KEY, Date.now()))
    .split("\r\n\r\n");
  const [, authorization = ""] = /\r\nAuthorization: (.+)/.exec(head) ?? [];
  const event = await new WebhookReceiver(KEY.key, KEY.secret).receive(body, authorization);
  assertEquals(event.participant?.identity, webhook.identity);
  assertEquals(event.participant?.disconnectReason, 1); // CLIENT_INITIATED
  const [, length] = /\r\nContent-Length: (\d+)/.exec(head) ?? [];
  assertEquals(Number(length), new TextEncoder().encode(body).length);
});

Deno.test("SfuRooms answers as LiveKit does, in JSON and in protobuf", async () => {
  const rooms = new SfuRooms();
  const sid = rooms.join("call", "@a:a.example:D");
  await using server = startHttpServer({
    async handler(request, { path }) {
      const method = path.slice(path.lastIndexOf("/") + 1);
      const type = request.headers.get("content-type");
      const { status, contentType, body } = rooms.answer(method, await request.bytes(), type);
      return new Response(body, { status, headers: { "content-type": contentType } });
    },
  });
  const client = new RoomServiceClient(server.url, KEY.key, KEY.secret);
  const created = await client.createRoom({ name: "empty" });
  assertEquals((await client.createRoom({ name: "empty" })).sid, created.sid);
  assertEquals((await client.listRooms()).map(({ name }) => name), ["call", "empty"]);
  assertEquals((await client.listRooms(["empty", "none"])).map(({ name }) => name), ["empty"]);
  assertEquals((await client.listParticipants("call")).map((one) => one.sid), [sid]);
  assertEquals(await client.listParticipants("none"), []);
  assertEquals((await client.getParticipant("call", "@a:a.example:D")).sid, sid);
  await assertRejects(() => client.getParticipant("call", "@b:a.example:D"), Error, "not exist");

  const ask = (method: string, ...strings: [number, string][]) =>
    rooms.answer(method, writeMessage(strings), "application/protobuf");
  const bytes = (method: string, ...strings: [number, string][]) =>
    ask(method, ...strings).body as Uint8Array;
  const participant = bytes("GetParticipant", [1, "call"], [2, "@a:a.example:D"]);
  assertEquals(ParticipantInfo.fromBinary(participant).sid, sid);
  assertEquals(Room.fromBinary(bytes("CreateRoom", [1, "call"])).numParticipants, 1);
  assertEquals(Object.keys(readStrings(bytes("ListParticipants", [1, "call"]))), ["1"]);
  assertEquals(bytes("ListParticipants", [1, "empty"]).length, 0);
  assertEquals(ask("GetParticipant", [1, "call"], [2, "x"]).status, 404);
  assertEquals(ask("MutePublishedTrack").status, 404);
  rooms.leave("call", "@a:a.example:D");
  assertEquals(ask("GetParticipant", [1, "call"], [2, "@a:a.example:D"]).status, 404);
});

Deno.test("readStrings() refuses what it cannot read", () => {
  for (const bytes of [[0x0d, 1, 2, 3, 4], [0x08, 0x80], [0x0a]]) {
    assertThrows(() => readStrings(new Uint8Array(bytes)), TypeError);
  }
});

Deno.test("runWorkers() gives up on a service that stays silent", async () => {
  await using silent = startRawServer({ handle: () => new Promise(() => {}) });
  const options = { port: silent.port, count: 3, connections: 2, timeoutMs: 20 };
  await assertRejects(
    () => runWorkers(options, async (_, exchange) => void await exchange(new Uint8Array(1))),
    Error,
    "Gave up after 0 of 3 within 20 ms",
  );
});

Deno.test("parseLoadArguments() reads what jobs are to be like", () => {
  const read = (...args: string[]) => parseLoadArguments(args)!;
  assertEquals([...read("--jobs", "7").parts], ["jobs"]);
  assertEquals(read("--jobs", "7").job.jobs, 7);
  assertEquals([...read("--only", "jobs").parts], ["jobs"]);
  const plain = read("--only", "jobs").job;
  assertEquals([plain.jobs, plain.delaySeconds, plain.holdSeconds], [20_000, 60, 96]);
  assertEquals([plain.redis, plain.stateDir, plain.path], [false, false, "/get_token"]);
  const frozen = read("--jobs", "9", "--freeze-redis", "1", "--legacy").job;
  assert(frozen.redis && frozen.holdSeconds > frozen.freezeRedisSeconds + frozen.delaySeconds);
  assertEquals(frozen.path, "/sfu/get");
  for (
    const [name, value] of [
      ["--jobs", "0"],
      ["--jobs", "x"],
      ["--jobs", "1.5"],
      ["--failing", "1"],
      ["--failing", "-0.1"],
      ["--delay-seconds", "0"],
      ["--freeze-redis", "soon"],
      ["--leave-connections", "5000"],
    ] as const
  ) {
    assertThrows(() => read(name, value), TypeError, name);
  }
});

Deno.test({
  name: "deno task load --jobs finds every fault of a careless service",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const options = ["--delay-seconds", "2", "--hold-seconds", "3", "--room-size", "4"];
    const script = "tests/tools/load_careless_service.ts";
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "load", "--jobs", "10", "--script", script, ...options],
      cwd: ROOT,
      stdin: "null",
      signal: AbortSignal.timeout(90_000),
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    const { jobs } = JSON.parse(new TextDecoder().decode(stdout));
    assertEquals([jobs.jobs, jobs.refused], [9, { 429: 1 }]);
    const { lost, twice, missing, sentWhilePresent, sends, unknown } = jobs;
    // The leave that was sent too early is sent once more when its user leaves.
    assertEquals({ lost, twice, missing, sentWhilePresent, sends, unknown }, {
      lost: 1,
      twice: 2,
      missing: 1,
      sentWhilePresent: 1,
      sends: 7,
      unknown: 0,
    });
    assert(jobs.hold.restarts > 0 && jobs.restarts >= jobs.hold.restarts);
    assert(jobs.latestRestartPercent > 40 && jobs.latestRestartPercent < 100);
    assert(jobs.memory.heldRssMiB > 0 && jobs.leave.lastSendSeconds > 0);
  },
});
