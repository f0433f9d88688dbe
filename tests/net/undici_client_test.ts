import { assertEquals, assertMatch } from "@std/assert";
import type { HttpResponse, HttpTarget } from "../../lib/net/http_client.ts";
import { startHttpServer } from "../fakes/http_server.ts";
import { readRequestHead, startRawServer, writeAll } from "../fakes/raw_server.ts";
import { createManualClock } from "../support/manual_clock.ts";
import { createTestCa } from "../support/test_ca.ts";
import { get, hopOf, localTarget, startClient } from "./fixtures.ts";

function textOf({ body }: HttpResponse): string {
  return new TextDecoder().decode(body);
}

/** A promise and what settles it. */
function gate<T = void>() {
  return Promise.withResolvers<T>();
}

const HELLO = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

Deno.test("createUndiciClient() sends what it is told and gives the answer as it came", async () => {
  await using server = startHttpServer({
    async handler(request) {
      const headers = { "content-type": "text/plain", "x-odd": "A" };
      return new Response(`${request.method} ${await request.text()}`, { status: 418, headers });
    },
  });
  await using client = startClient();
  const target = localTarget(server.port, { hostHeader: "matrix.example.org:443" });
  const response = await client.request(
    target,
    get("/a%2Fb?c=d", { method: "POST", body: "{}", headers: { "x-one": "1" } }),
  );
  assertEquals([response.status, textOf(response)], [418, "POST {}"]);
  assertEquals(response.headers["content-type"], "text/plain");
  assertEquals(response.headers["x-odd"], "A");
  const [seen] = server.requests;
  assertEquals([seen!.path, seen!.host], ["/a%2Fb?c=d", "matrix.example.org:443"]);
  assertEquals([seen!.headers.get("x-one"), seen!.headers.get("content-length")], ["1", "2"]);
});

Deno.test("createUndiciClient() follows no redirect and unpacks no body", async () => {
  const bomb = new Uint8Array([31, 139, 8, 0, 1, 2, 3]);
  await using server = startHttpServer({
    handler: () =>
      new Response(bomb, {
        status: 302,
        headers: { location: "/elsewhere", "content-encoding": "gzip" },
      }),
  });
  await using client = startClient();
  const response = await client.request(localTarget(server.port), get());
  assertEquals([response.status, response.headers.location], [302, "/elsewhere"]);
  assertEquals(new Uint8Array(response.body), bomb);
  assertEquals(server.requests.length, 1);
});

Deno.test("createUndiciClient() shakes hands once a connection, not once a request", async () => {
  const ca = await createTestCa();
  await using server = startHttpServer({
    tls: await ca.issue(["example.org"]),
    handler: () => new Response("hello"),
  });
  await using client = startClient({ ca: [ca.pem] });
  const target = localTarget(server.port, { protocol: "https" });
  const worker = async () => {
    for (let i = 0; i < 25; i++) assertEquals((await client.request(target, get())).status, 200);
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  assertEquals(server.requests.length, 100);
  assertEquals(server.connections <= 4, true, `${server.connections} connections`);
});

Deno.test("createUndiciClient() opens no more connections than a target may have", async () => {
  const { promise: opened, resolve: open } = gate();
  await using server = startHttpServer({
    async handler() {
      await opened;
      return new Response();
    },
  });
  await using client = startClient();
  const target = localTarget(server.port, { maxConnections: 2 });
  const answers = Array.from({ length: 10 }, () => client.request(target, get()));
  await server.received(2);
  open();
  assertEquals((await Promise.all(answers)).map(({ status }) => status), Array(10).fill(200));
  assertEquals(server.connections, 2);
});

Deno.test("createUndiciClient() fails all who wait for a server that refuses", async () => {
  const port = await (async () => {
    await using server = startRawServer({ handle: () => {} });
    return server.port;
  })();
  await using client = startClient();
  const target = localTarget(port, { maxConnections: 2 });
  const answers = Array.from({ length: 30 }, () => hopOf(client.request(target, get())));
  assertEquals((await Promise.all(answers)).map(([hop]) => hop), Array(30).fill("tcp"));
});

/** Answers the first request of the first connection; ends that one at the next request. */
function startForgetfulServer(answersLater: boolean) {
  const seen: string[] = [];
  const server = startRawServer({
    async handle(connection, number) {
      while (true) {
        const head = await readRequestHead(connection);
        if (head === "") return;
        seen.push(`${number} ${head.split(" ", 2).join(" ")}`);
        if (seen.length > 1 && (number === 1 || !answersLater)) return;
        await writeAll(connection, HELLO);
      }
    },
  });
  return Object.assign(server, { seen });
}

Deno.test("createUndiciClient() sends again, once, what a kept-alive connection has lost", async () => {
  await using server = startForgetfulServer(true);
  await using client = startClient();
  const target = localTarget(server.port);
  assertEquals(textOf(await client.request(target, get("/first"))), "hello");
  const again = get("/second", { method: "POST", body: "{}" });
  assertEquals(textOf(await client.request(target, again)), "hello");
  assertEquals(server.seen, ["1 GET /first", "1 POST /second", "2 POST /second"]);
});

Deno.test("createUndiciClient() gives up when the connection is lost again", async () => {
  await using server = startForgetfulServer(false);
  await using client = startClient();
  const target = localTarget(server.port);
  await client.request(target, get("/first"));
  const [hop, message] = await hopOf(client.request(target, get("/second")));
  assertEquals(hop, "http");
  assertMatch(message, /^no answer from example\.org: /);
  assertEquals(server.seen, ["1 GET /first", "1 GET /second", "2 GET /second"]);
});

Deno.test("createUndiciClient() sends nothing again once an answer has begun", async () => {
  await using server = startRawServer({
    async handle(connection) {
      await readRequestHead(connection);
      await writeAll(connection, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhal");
    },
  });
  await using client = startClient();
  assertEquals((await hopOf(client.request(localTarget(server.port), get())))[0], "http");
  assertEquals(server.connections, 1);
});

Deno.test("createUndiciClient() ends an exchange whose answer does not begin in time", async () => {
  const { promise: ended, resolve: end } = gate();
  const { promise: asked, resolve: ask } = gate();
  await using server = startRawServer({
    async handle(connection) {
      await readRequestHead(connection);
      ask();
      await connection.read(new Uint8Array(1)).catch(() => {});
      end();
    },
  });
  const clock = createManualClock();
  await using client = startClient({ clock });
  const answer = hopOf(client.request(localTarget(server.port), get("/", { timeoutMs: 2_500 })));
  await asked;
  clock.advance(2_499);
  clock.advance(1);
  assertEquals(await answer, ["http", "no answer from example.org in 2.5 s"]);
  await ended; // the connection is not kept: its answer might come after all
});

Deno.test("createUndiciClient() ends an exchange whose answer does not end in time", async () => {
  const { promise: begun, resolve: begin } = gate();
  const { promise: ended, resolve: end } = gate();
  await using server = startRawServer({
    async handle(connection) {
      await readRequestHead(connection);
      // More than sockets buffer: once it is written, the client has seen the beginning.
      await writeAll(connection, "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n");
      await writeAll(connection, new Uint8Array(20_000_000));
      begin();
      await connection.read(new Uint8Array(1)).catch(() => {});
      end();
    },
  });
  const clock = createManualClock();
  await using client = startClient({ clock });
  const request = get("/", { maxBodyBytes: 99_999_999 });
  const answer = hopOf(client.request(localTarget(server.port), request));
  await begun;
  clock.advance(10_000);
  assertEquals(await answer, ["http", "no end of the answer from example.org in 10.0 s"]);
  await ended;
});

for (const framing of ["chunked", "by length", "by its end"]) {
  Deno.test(`createUndiciClient() cuts a stream of 10 GB, framed ${framing}, at the limit`, async () => {
    let sent = 0;
    const { promise: ended, resolve: end } = gate();
    await using server = startRawServer({
      async handle(connection) {
        await readRequestHead(connection);
        const heads: Record<string, string> = {
          "chunked": "Transfer-Encoding: chunked\r\n\r\n",
          "by length": "Content-Length: 10000000000\r\n\r\n",
          "by its end": "Connection: close\r\n\r\n",
        };
        const block = framing === "chunked"
          ? `${(65_536).toString(16)}\r\n${"x".repeat(65_536)}\r\n`
          : "x".repeat(65_536);
        try {
          await writeAll(connection, `HTTP/1.1 200 OK\r\n${heads[framing]}`);
          while (sent < 1e10) {
            await writeAll(connection, block);
            sent += block.length;
          }
        } catch {
          end();
        }
      },
    });
    await using client = startClient();
    const answer = hopOf(client.request(localTarget(server.port), get()));
    assertEquals(await answer, ["http", "the answer of example.org is larger than 65536 bytes"]);
    await ended;
    assertEquals(sent < 50_000_000, true, `${sent} bytes were taken`);
  });
}

Deno.test("createUndiciClient() takes an answer of exactly the limit, byte by byte", async () => {
  await using server = startRawServer({
    async handle(connection) {
      await readRequestHead(connection);
      await writeAll(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      await writeAll(connection, "1\r\na\r\n1\r\nb\r\n".repeat(50) + "0\r\n\r\n");
      await readRequestHead(connection);
    },
  });
  await using client = startClient();
  const request = get("/", { maxBodyBytes: 100 });
  const response = await client.request(localTarget(server.port), request);
  assertEquals(textOf(response), "ab".repeat(50));
});

const garbage = {
  "no HTTP": "hello\r\n\r\n",
  "another protocol": "SSH-2.0-OpenSSH_9.6\r\n",
  "two lengths": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
  "length and chunks":
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "a bad chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
  "17 KiB of headers": `HTTP/1.1 200 OK\r\nX: ${"x".repeat(17_000)}\r\n\r\n`,
  "headers without end": `HTTP/1.1 200 OK\r\n${"X: y\r\n".repeat(10_000)}`,
  "an unasked upgrade":
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
};
for (const [name, answer] of Object.entries(garbage)) {
  Deno.test(`createUndiciClient() fails an exchange answered with ${name}`, async () => {
    await using server = startRawServer({
      async handle(connection) {
        await readRequestHead(connection);
        await writeAll(connection, answer);
      },
    });
    await using client = startClient();
    const [hop, message] = await hopOf(client.request(localTarget(server.port), get("/?secret")));
    assertEquals([hop, message.includes("secret")], ["http", false]);
  });
}

Deno.test("createUndiciClient() takes early hints for what they are", async () => {
  await using server = startRawServer({
    async handle(connection) {
      await readRequestHead(connection);
      await writeAll(connection, `HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${HELLO}`);
      await readRequestHead(connection);
    },
  });
  await using client = startClient();
  const response = await client.request(localTarget(server.port), get());
  assertEquals([response.status, textOf(response)], [200, "hello"]);
});

Deno.test("createUndiciClient() ends an exchange that waits for a connection too long", async () => {
  const { promise: opened, resolve: open } = gate();
  await using server = startHttpServer({
    async handler() {
      await opened;
      return new Response();
    },
  });
  const clock = createManualClock();
  await using client = startClient({ clock });
  const target = localTarget(server.port, { maxConnections: 1 });
  const first = client.request(target, get("/first"));
  await server.received(1);
  const second = hopOf(client.request(target, get("/second", { timeoutMs: 1_000 })));
  clock.advance(1_000);
  assertEquals(await second, ["http", "no answer from example.org in 1.0 s"]);
  open();
  assertEquals((await first).status, 200);
  assertEquals((await client.request(target, get("/third"))).status, 200);
  assertEquals(server.requests.map(({ path }) => path), ["/first", "/third"]);
});

Deno.test("createUndiciClient() closes the pool used least recently when there are too many", async () => {
  const { promise: firstEnded, resolve: endFirst } = gate();
  await using server = startRawServer({
    async handle(connection, number) {
      while (await readRequestHead(connection) !== "") await writeAll(connection, HELLO);
      if (number === 2) endFirst();
    },
  });
  await using client = startClient();
  const target = (i: number): HttpTarget =>
    localTarget(server.port, { hostHeader: `${i}.example` });
  const ask = async (i: number) =>
    assertEquals((await client.request(target(i), get())).status, 200);
  await ask(0);
  await ask(1);
  for (let i = 2; i < 512; i += 15) {
    await Promise.all(Array.from({ length: Math.min(15, 512 - i) }, (_, j) => ask(i + j)));
  }
  await ask(0); // still there, and now more recent than the second one
  assertEquals(server.connections, 512);
  await ask(512);
  await firstEnded;
  await ask(0);
  assertEquals(server.connections, 513);
});

Deno.test("createUndiciClient() lets exchanges end before it closes, then ends connections", async () => {
  const { promise: opened, resolve: open } = gate();
  const { promise: ended, resolve: end } = gate();
  await using server = startRawServer({
    async handle(connection) {
      await readRequestHead(connection);
      await opened;
      await writeAll(connection, HELLO);
      assertEquals(await readRequestHead(connection), "");
      end();
    },
  });
  const client = startClient();
  const answer = client.request(localTarget(server.port), get());
  await server.accepted(1);
  const closing = client.close();
  open();
  assertEquals(textOf(await answer), "hello");
  await closing;
  await ended;
});

Deno.test("createUndiciClient() closes when nothing was ever asked, and twice", async () => {
  const client = startClient();
  await client.close();
  await client.close();
});
