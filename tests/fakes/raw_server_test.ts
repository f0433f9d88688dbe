import { assertEquals, assertRejects } from "@std/assert";
import { createTestCa } from "../support/test_ca.ts";
import { readRequestHead, startRawServer, writeAll } from "./raw_server.ts";

Deno.test("startRawServer() speaks TLS and counts connections", async () => {
  const ca = await createTestCa();
  const heads: string[] = [];
  await using server = startRawServer({
    tls: await ca.issue(["127.0.0.1"]),
    async handle(connection) {
      heads.push(await readRequestHead(connection));
      await writeAll(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    },
  });
  using client = Deno.createHttpClient({ caCerts: [ca.pem] });
  for (const path of ["/first", "/second"]) {
    const response = await fetch(`https://${server.host}${path}`, { client });
    assertEquals(await response.text(), "hi");
  }
  assertEquals(heads.map((head) => head.split(" ")[1]), ["/first", "/second"]);
  assertEquals(server.connections, 2);
});

Deno.test("startRawServer() ends a client that it has kept waiting", async () => {
  const server = startRawServer({ handle: () => new Promise(() => {}) });
  const answer = fetch(`http://${server.host}/`);
  await server.accepted(1);
  assertEquals(server.openConnections, 1);
  await Promise.all([assertRejects(() => answer, TypeError), server.close()]);
});
