import { assertEquals, assertMatch } from "@std/assert";
import { askHealth } from "../../lib/cli/healthcheck.ts";
import { readRequestHead, startRawServer, writeAll } from "../fakes/raw_server.ts";

function serve(status: string, hostname = "127.0.0.1") {
  const heads: string[] = [];
  const server = startRawServer({
    hostname,
    async handle(connection) {
      heads.push(await readRequestHead(connection));
      await writeAll(connection, `HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`);
    },
  });
  return { server, heads };
}

for (const hostname of ["127.0.0.1", "::1"]) {
  Deno.test(`askHealth() finds nothing wrong with 200 at ${hostname}`, async () => {
    const { server, heads } = serve("200 OK", hostname);
    await using _ = server;
    assertEquals(await askHealth({ kind: "tcp", hostname, port: server.port }), undefined);
    assertMatch(heads[0]!, /^GET \/healthz HTTP\/1\.1\r\n/);
  });
}

for (const hostname of [undefined, "0.0.0.0", "::"]) {
  Deno.test(`askHealth() asks at a loopback address instead of ${hostname ?? "all"}`, async () => {
    for (const loopback of ["127.0.0.1", "::1"]) {
      const { server } = serve("200 OK", loopback);
      await using _ = server;
      const address = { kind: "tcp", port: server.port, ...(hostname && { hostname }) } as const;
      assertEquals(await askHealth(address), undefined);
    }
  });
}

Deno.test("askHealth() tells which status it got", async () => {
  const { server } = serve("503 Service Unavailable");
  await using _ = server;
  assertEquals(
    await askHealth({ kind: "tcp", hostname: "127.0.0.1", port: server.port }),
    'the service says "HTTP/1.1 503 Service Unavailable"',
  );
});

Deno.test("askHealth() does not take another protocol for healthy", async () => {
  await using server = startRawServer({
    handle: (connection) => writeAll(connection, "SSH-2.0-OpenSSH 200 \r\n"),
  });
  const address = { kind: "tcp", hostname: "127.0.0.1", port: server.port } as const;
  assertMatch(String(await askHealth(address)), /SSH-2\.0/);
});

Deno.test("askHealth() tells that nobody listens", async () => {
  const server = startRawServer({ handle() {} });
  await server.close();
  const { port } = server;
  assertMatch(String(await askHealth({ kind: "tcp", hostname: "127.0.0.1", port })), /refused/i);
  assertMatch(String(await askHealth({ kind: "tcp", port })), /refused.*; .*refused/i);
});

Deno.test("askHealth() asks at a unix socket", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/auth.sock`;
    const server = Deno.serve({ path, onListen() {} }, () => new Response());
    assertEquals(await askHealth({ kind: "unix", path }), undefined);
    await server.shutdown();
    assertMatch(String(await askHealth({ kind: "unix", path })), /no such file/i);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("askHealth() gives up on a service that says nothing", async () => {
  await using server = startRawServer({ handle: () => new Promise(() => {}) });
  const address = { kind: "tcp", hostname: "127.0.0.1", port: server.port } as const;
  assertEquals(await askHealth(address, 20), "no answer in 0.02 s");
});
