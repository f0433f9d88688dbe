import { createHash } from "node:crypto";
import { assertEquals, assertRejects } from "@std/assert";
import { openWebSocket } from "../../../lib/diagnosis/livekit/web_socket.ts";
import { UpstreamError } from "../../../lib/matrix/errors.ts";
import { createConnect } from "../../../lib/net/connect.ts";
import { targetOfUrl } from "../../../lib/net/target.ts";
import {
  type RawServer,
  readRequestHead,
  startRawServer,
  writeAll,
} from "../../fakes/raw_server.ts";
import { createManualClock } from "../../support/manual_clock.ts";

const connect = createConnect({
  clock: createManualClock(),
  lookup: (host) => Promise.resolve([host]),
  policy: () => true,
  trust: { ca: [] },
  insecureSkipVerifyTls: false,
  proxy: { except: [] },
});

function open(server: RawServer, signal = new AbortController().signal) {
  const { target } = targetOfUrl(`http://${server.host}`, 1);
  return openWebSocket({ connect, target, path: "/rtc?access_token=t", signal });
}

function acceptOf(head: string): string {
  const [, key] = /sec-websocket-key: (\S+)/i.exec(head)!;
  return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
}

async function upgrade(connection: Deno.Conn): Promise<string> {
  const head = await readRequestHead(connection);
  await writeAll(
    connection,
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${acceptOf(head)}\r\n\r\n`,
  );
  return head;
}

Deno.test("openWebSocket() reads messages in frames of all lengths, in pieces or not", async () => {
  const long = new Uint8Array(70_000).fill(7);
  const middle = new Uint8Array(300).fill(5);
  let head = "";
  await using server = startRawServer({
    async handle(connection) {
      head = await upgrade(connection);
      await writeAll(connection, Uint8Array.of(0x82, 2, 1, 2));
      // A ping between; then one message in two frames.
      await writeAll(connection, Uint8Array.of(0x89, 0, 0x02, 1, 3, 0x80, 1, 4));
      await writeAll(connection, Uint8Array.of(0x82, 126, 1, 44));
      await writeAll(connection, middle);
      await writeAll(connection, Uint8Array.of(0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70));
      await writeAll(connection, long);
      await writeAll(connection, Uint8Array.of(0x88, 0));
    },
  });
  const socket = await open(server);
  if (!socket.upgraded) throw new Error(`not upgraded: ${socket.status}`);
  const messages = await Array.fromAsync(socket.messages);
  socket.close();
  assertEquals(messages, [Uint8Array.of(1, 2), Uint8Array.of(3, 4), middle, long]);
  assertEquals(head.startsWith("GET /rtc?access_token=t HTTP/1.1\r\n"), true);
});

Deno.test("openWebSocket() tells the status and the body of another answer", async () => {
  await using server = startRawServer({
    async handle(connection) {
      await readRequestHead(connection);
      await writeAll(connection, "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nno room");
    },
  });
  assertEquals(await open(server), { upgraded: false, status: 404, text: "no room" });
});

Deno.test("openWebSocket() does not wait for a body that is empty", async () => {
  await using server = startRawServer({
    async handle(connection) {
      await readRequestHead(connection);
      await writeAll(connection, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
      // Kept open, as HTTP/1.1 has it.
      await readRequestHead(connection);
    },
  });
  assertEquals(await open(server), { upgraded: false, status: 404, text: "" });
});

Deno.test("openWebSocket() refuses the answer to somebody else's request", async () => {
  await using server = startRawServer({
    async handle(connection) {
      await readRequestHead(connection);
      await writeAll(connection, "HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: AAAA\r\n\r\n");
    },
  });
  const answer = await open(server);
  assertEquals([answer.upgraded, !answer.upgraded && answer.fault !== undefined], [false, true]);
});

Deno.test("openWebSocket() ends when its time is over", async () => {
  await using server = startRawServer({ handle: () => new Promise<void>(() => {}) });
  const abort = new AbortController();
  const opening = open(server, abort.signal);
  await server.accepted(1);
  abort.abort();
  await assertRejects(() => opening, UpstreamError, "in time");
});
