import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { UpstreamError } from "../../lib/matrix/errors.ts";
import { createConnect } from "../../lib/net/connect.ts";
import { chooseProxy, type ProxySettings } from "../../lib/net/proxy.ts";
import { createTarget } from "../../lib/net/target.ts";
import { createUndiciClient } from "../../lib/net/undici_client.ts";
import { Secret } from "../../lib/secret.ts";
import { startHttpServer } from "../fakes/http_server.ts";
import { readRequestHead, startRawServer, writeAll } from "../fakes/raw_server.ts";
import { createTestCa } from "../support/test_ca.ts";
import { publicOnly, realClock } from "./fixtures.ts";

const rules = [
  { except: [], host: "matrix.org", proxied: true },
  { except: ["*"], host: "matrix.org", proxied: false },
  { except: ["matrix.org"], host: "matrix.org", proxied: false },
  { except: ["matrix.org"], host: "Federation.Matrix.org", proxied: false },
  { except: ["matrix.org"], host: "notmatrix.org", proxied: true },
  { except: [".matrix.org"], host: "matrix.org", proxied: true },
  { except: ["*.matrix.org"], host: "sub.matrix.org", proxied: false },
  { except: ["matrix.org:8448"], host: "matrix.org", proxied: true },
  { except: ["matrix.org:443"], host: "matrix.org", proxied: false },
  { except: ["10.0.0.0/8"], host: "10.1.2.3", proxied: false },
  { except: ["10.0.0.0/8"], host: "11.1.2.3", proxied: true },
  { except: ["10.1.2.3"], host: "10.1.2.3", proxied: false },
  { except: ["fd00::/8"], host: "fd00::1", proxied: false },
  { except: [], host: "localhost", proxied: false },
  { except: [], host: "127.0.0.1", proxied: false },
  { except: [], host: "::1", proxied: false },
];
for (const { except, host, proxied } of rules) {
  const how = proxied ? "through the proxy" : "directly";
  Deno.test(`chooseProxy() reaches ${host} ${how} with NO_PROXY="${except}"`, () => {
    const settings = { https: new Secret("http://proxy.test:3128"), except };
    assertEquals(chooseProxy("https", { host, port: 443 }, settings) !== undefined, proxied);
  });
}

/** A proxy that connects every CONNECT to one port of this host, or answers in its own way. */
function startProxy(port: number, answer = "HTTP/1.1 200 Connection established\r\n\r\n") {
  const heads: string[] = [];
  const server = startRawServer({
    async handle(client) {
      heads.push(await readRequestHead(client));
      await writeAll(client, answer);
      if (!answer.includes(" 200 ")) return;
      using upstream = await Deno.connect({ hostname: "127.0.0.1", port });
      await Promise.allSettled([
        client.readable.pipeTo(upstream.writable),
        upstream.readable.pipeTo(client.writable),
      ]);
    },
  });
  return { server, heads };
}

function startClient(proxy: ProxySettings, ca: string[]) {
  const connect = createConnect({
    lookup: (host) => Promise.reject(new Error(`${host} is the proxy's to look up`)),
    policy: publicOnly,
    trust: { ca },
    insecureSkipVerifyTls: false,
    proxy,
    clock: realClock,
  });
  const client = createUndiciClient({ connect, clock: realClock });
  return { ...client, [Symbol.asyncDispose]: () => client.close() };
}

function targetAt(host: string) {
  return createTarget({
    protocol: "https",
    endpoints: [{ host, port: 8448 }],
    tlsName: "remote.test",
    hostHeader: "remote.test",
    mayBePrivate: false,
    maxConnections: 1,
  });
}

const request = { method: "GET", path: "/x", timeoutMs: 5_000, maxBodyBytes: 100 } as const;

Deno.test("connections through a proxy name the server, and TLS is with the server itself", async () => {
  const ca = await createTestCa();
  await using server = startHttpServer({
    tls: await ca.issue(["remote.test"]),
    handler: () => new Response("hello"),
  });
  const { server: proxy, heads } = startProxy(server.port);
  await using _ = proxy;
  const url = new Secret(`http://user:p%40ss@${proxy.host}`);
  await using client = startClient({ https: url, except: [] }, [ca.pem]);
  const response = await client.request(targetAt("remote.test"), request);
  assertEquals(new TextDecoder().decode(response.body), "hello");
  assertEquals(server.requests[0]!.serverName, "remote.test");
  assert(heads[0]!.startsWith("CONNECT remote.test:8448 HTTP/1.1\r\n"));
  assertStringIncludes(heads[0]!, `Proxy-Authorization: Basic ${btoa("user:p@ss")}`);
});

Deno.test("a proxy's password may hold a bare percent sign", async () => {
  const { server: proxy, heads } = startProxy(0, "HTTP/1.1 407 No\r\n\r\n");
  await using _ = proxy;
  const url = new Secret(`http://user:50%off@${proxy.host}`);
  await using client = startClient({ https: url, except: [] }, []);
  const error = await client.request(targetAt("remote.test"), request).catch((error) => error);
  assertInstanceOf(error, UpstreamError);
  assertStringIncludes(heads[0]!, `Proxy-Authorization: Basic ${btoa("user:50%off")}`);
});

const refusals = [
  { name: "says 403", answer: "HTTP/1.1 403 Forbidden\r\n\r\n", reason: "it says 403" },
  { name: "speaks no HTTP", answer: "hello\r\n\r\n", reason: "it says no HTTP" },
  { name: "hangs up", answer: "", reason: "it closed the connection" },
];
for (const { name, answer, reason } of refusals) {
  Deno.test(`a proxy that ${name} is named in the error, without its password`, async () => {
    const { server: proxy } = startProxy(0, answer);
    await using _ = proxy;
    const url = new Secret(`http://user:hunter2@${proxy.host}`);
    await using client = startClient({ https: url, except: [] }, []);
    const error = await client.request(targetAt("remote.test"), request).catch((error) => error);
    assertInstanceOf(error, UpstreamError);
    assertEquals(error.hop, "tcp");
    assertStringIncludes(
      error.message,
      `${proxy.host} gives no way to remote.test:8448: ${reason}`,
    );
    assertEquals(error.message.includes("hunter2"), false);
  });
}

Deno.test("a proxy is not asked for private addresses", async () => {
  const { server: proxy } = startProxy(0);
  await using _ = proxy;
  const url = new Secret(`http://${proxy.host}`);
  await using client = startClient({ https: url, except: [] }, []);
  const error = await client.request(targetAt("169.254.169.254"), request).catch((error) => error);
  assertInstanceOf(error, UpstreamError);
  assertEquals([error.hop, proxy.connections], ["policy", 0]);
});
