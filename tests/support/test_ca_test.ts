import { assertEquals, assertRejects } from "@std/assert";
import { createTestCa } from "./test_ca.ts";

/** Serves one greeting under the certificate and asks for it at each URL host. */
async function askAt(hosts: string[], tls: { cert: string; key: string }, caCerts: string[]) {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, ...tls, onListen() {} },
    () => new Response("hello"),
  );
  const client = Deno.createHttpClient({ caCerts });
  try {
    for (const host of hosts) {
      const response = await fetch(`https://${host}:${server.addr.port}/`, { client });
      assertEquals(await response.text(), "hello");
    }
  } finally {
    client.close();
    await server.shutdown();
  }
}

Deno.test("createTestCa() issues certificates for names and addresses", async () => {
  const ca = await createTestCa();
  await askAt(["localhost", "127.0.0.1"], await ca.issue(["localhost", "127.0.0.1", "::1"]), [
    ca.pem,
  ]);
});

Deno.test("createTestCa() makes authorities that do not vouch for each other", async () => {
  const [ours, theirs] = await Promise.all([createTestCa(), createTestCa()]);
  const tls = await theirs.issue(["localhost"]);
  await assertRejects(() => askAt(["localhost"], tls, [ours.pem]), TypeError);
});

Deno.test("createTestCa() issues what a client refuses: another name, a past end", async () => {
  const ca = await createTestCa();
  const expired = await ca.issue(["localhost"], { notAfter: new Date(Date.now() - 1000) });
  await assertRejects(() => askAt(["localhost"], expired, [ca.pem]), TypeError);
  const other = await ca.issue(["other.example"]);
  await assertRejects(() => askAt(["localhost"], other, [ca.pem]), TypeError);
});

Deno.test("createTestCa() refuses to issue for no names", async () => {
  const ca = await createTestCa();
  await assertRejects(() => ca.issue([]), TypeError, "no names");
});
