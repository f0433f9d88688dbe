import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { writeAll } from "../fakes/raw_server.ts";
import { type RunningService, usualCommand } from "../support/service.ts";
import { start, test, testSecrets } from "./support/watched.ts";
import {
  addressOf,
  type Answer,
  ask,
  getTokenBody,
  readUntil,
  startWorld,
  type World,
} from "./support/world.ts";

/** A world whose homeserver holds Alice's answer back, and a request that waits for it. */
async function startHanging(env: Record<string, string> = {}) {
  const world = await startWorld(env);
  const asked = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  world.own.settings.respond = async () => {
    asked.resolve();
    await release.promise;
    return undefined;
  };
  const answer: Promise<Answer | string> = ask(
    world.service,
    "POST",
    "/get_token",
    getTokenBody(world),
  ).catch((error) => `the request failed: ${error.name}`);
  await asked.promise;
  return {
    world,
    answer,
    release: release.resolve,
    async [Symbol.asyncDispose]() {
      release.resolve();
      await world[Symbol.asyncDispose]();
    },
  };
}

async function assertRefusesConnections({ service }: World): Promise<void> {
  await assertRejects(() => ask(service, "GET", "/healthz"), TypeError);
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} lets the request in work end, refuses new ones, and exits with 0`, async () => {
    await using hanging = await startHanging();
    const { world, answer, release } = hanging;
    Deno.kill(world.service.pid, signal);
    await world.service.waitForLog(
      new RegExp(`received ${signal}, finishing the requests in work`),
    );
    await assertRefusesConnections(world);
    release();
    const { status, json } = await answer as Answer;
    assertEquals([status, Object.keys(json).sort()], [200, ["jwt", "url"]]);
    assertEquals(await world.service.exited, 0);
    assertMatch(world.service.output, /INFO {4}stopped\n$/);
  });
}

test("a stop without anything in work is immediate, idle connections or not", async () => {
  await using world = await startWorld({ MATRIXRTC_SHUTDOWN_SECONDS: "600" });
  await ask(world.service, "POST", "/get_token", getTokenBody(world));
  await ask(world.service, "GET", "/healthz");
  assertEquals(await world.service.stop(), 0);
});

test("a stop waits for no request that never comes to an end", async () => {
  await using world = await startWorld({ MATRIXRTC_SHUTDOWN_SECONDS: "600" });
  // Half a head, and a body that is missing though its request is answered long since.
  using head = await Deno.connect(addressOf(world.service));
  await writeAll(head, "GET /healthz HTTP/1.1\r\nHo");
  using body = await Deno.connect(addressOf(world.service));
  await writeAll(
    body,
    "POST /get_token HTTP/1.1\r\nHost: a\r\nContent-Length: 104857600\r\n\r\n{",
  );
  assertMatch(await readUntil(body, "}"), /^HTTP\/1\.1 413 /);
  assertEquals(await world.service.stop(), 0);
  assertMatch(world.service.output, /INFO {4}stopped\n$/);
});

test("a body that is on its way at a stop is read, or its sender told to come again", async () => {
  await using world = await startWorld();
  using connection = await Deno.connect(addressOf(world.service));
  const body = new TextEncoder().encode(JSON.stringify(getTokenBody(world)));
  await writeAll(
    connection,
    "POST /get_token HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" +
      `Connection: close\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  assertMatch(await readUntil(connection, "\r\n\r\n"), /^HTTP\/1\.1 100 /);
  await writeAll(connection, body.subarray(0, 10));
  Deno.kill(world.service.pid, "SIGTERM");
  await world.service.waitForLog(/received SIGTERM/);
  await writeAll(connection, body.subarray(10)).catch(() => {});
  assertMatch(await readUntil(connection, "}"), /^HTTP\/1\.1 (200 OK|503 Service Unavailable)\r\n/);
  assertEquals(await world.service.exited, 0);
});

test("MATRIXRTC_SHUTDOWN_SECONDS ends the wait for a request that hangs, with exit 0", async () => {
  await using hanging = await startHanging({ MATRIXRTC_SHUTDOWN_SECONDS: "1" });
  const { world, answer } = hanging;
  const startedAt = performance.now();
  assertEquals(await world.service.stop(), 0);
  const ms = performance.now() - startedAt;
  assert(ms >= 950 && ms < 4_000, `${ms} ms`);
  assertMatch(world.service.output, /WARNING requests were cut off after 1 s\n$/);
  assertMatch(await answer as string, /^the request failed/);
});

/** Sends a signal until the service has ended, as an impatient operator does. */
async function insist(service: RunningService, signal: Deno.Signal): Promise<number> {
  const timer = setInterval(() => Deno.kill(service.pid, signal), 50);
  const code = await service.exited;
  clearInterval(timer);
  return code;
}

for (const second of ["SIGTERM", "SIGINT"] as const) {
  test(`${second} ends the service at once after an earlier SIGTERM, with exit 1`, async () => {
    await using hanging = await startHanging({ MATRIXRTC_SHUTDOWN_SECONDS: "600" });
    const { service } = hanging.world;
    Deno.kill(service.pid, "SIGTERM");
    await service.waitForLog(/received SIGTERM/);
    assertEquals(await insist(service, second), 1);
  });
}

test("a signal that arrives twice, as a terminal's does, counts once", async () => {
  await using hanging = await startHanging();
  const { world, answer, release } = hanging;
  Deno.kill(world.service.pid, "SIGINT");
  Deno.kill(world.service.pid, "SIGINT");
  Deno.kill(world.service.pid, "SIGTERM");
  await world.service.waitForLog(/received SIG(INT|TERM)/);
  release();
  assertEquals((await answer as Answer).status, 200);
  assertEquals(await world.service.exited, 0);
});

test("a socket is gone after the end, also of a service that was cut off", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const again of [false, true]) {
      const path = `${folder}/auth.sock`;
      await using service = await start({
        env: {
          LIVEKIT_URL: "ws://127.0.0.1:9",
          LIVEKIT_KEY: "devkey",
          LIVEKIT_SECRET: "a-secret-of-thirty-two-characters!",
          LIVEKIT_FULL_ACCESS_HOMESERVERS: "example.org",
          LIVEKIT_JWT_BIND: `unix:${path}`,
          MATRIXRTC_SHUTDOWN_SECONDS: again ? "600" : "0",
        },
      });
      using connection = await Deno.connect({ transport: "unix", path });
      await writeAll(
        connection,
        "POST /get_token HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
      );
      // The service asks for the body, so the request is in work; it never comes.
      const buffer = new Uint8Array(64);
      const length = await connection.read(buffer) ?? 0;
      assertMatch(new TextDecoder().decode(buffer.subarray(0, length)), /^HTTP\/1\.1 100 /);
      Deno.kill(service.pid, "SIGTERM");
      const code = again ? await insist(service, "SIGTERM") : await service.exited;
      assertEquals(code, again ? 1 : 0);
      await assertRejects(() => Deno.lstat(path), Deno.errors.NotFound);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("the service ends although nobody reads its log any more", async () => {
  await using world = await startWorld();
  const [program, ...args] = usualCommand();
  const path = await Deno.makeTempFile({ suffix: ".sock" });
  await Deno.remove(path);
  const process = new Deno.Command(program!, {
    args,
    cwd: new URL("../..", import.meta.url),
    env: { ...world.env, LIVEKIT_JWT_BIND: `unix:${path}` },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const reader = process.stderr.getReader();
  const decoder = new TextDecoder();
  for (let log = ""; !log.includes("listening on ");) {
    const { value, done } = await reader.read();
    assert(!done, log);
    log += decoder.decode(value);
  }
  // From here on nobody reads. Far more than a pipe and the reader's buffer hold:
  const request = `GET /${"x".repeat(150)} HTTP/1.1\r\nHost: a\r\n\r\n`;
  using connection = await Deno.connect({ transport: "unix", path });
  const buffer = new Uint8Array(65_536);
  for (let batch = 0; batch < 100; batch++) {
    await writeAll(connection, request.repeat(40));
    for (let replies = ""; replies.split("HTTP/1.1 404").length <= 40;) {
      const length = await connection.read(buffer);
      assert(length !== null, replies);
      replies += decoder.decode(buffer.subarray(0, length));
    }
  }
  process.kill("SIGTERM");
  const timer = setTimeout(() => process.kill("SIGKILL"), 10_000);
  const { code } = await process.status;
  clearTimeout(timer);
  await reader.cancel();
  assertEquals(code, 0);
});

testSecrets();
