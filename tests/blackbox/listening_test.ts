import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { SFU_SECRET } from "../fakes/sfu.ts";
import { startRawServer } from "../fakes/raw_server.ts";
import { run, start, test, testSecrets } from "./support/watched.ts";
import { ask, exchangeBytes } from "./support/world.ts";

const ENV = {
  LIVEKIT_URL: "ws://127.0.0.1:9",
  LIVEKIT_KEY: "devkey",
  LIVEKIT_SECRET: SFU_SECRET,
  LIVEKIT_FULL_ACCESS_HOMESERVERS: "example.org",
};
const HEALTHZ = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

function healthcheck(bind: string) {
  return run({ env: { ...ENV, LIVEKIT_JWT_BIND: bind }, args: ["healthcheck"] });
}

for (
  const { bind, hosts, logged } of [
    { bind: "127.0.0.1:0", hosts: ["127.0.0.1"], logged: "http://127.0.0.1:" },
    { bind: "[::1]:0", hosts: ["[::1]"], logged: "http://[::1]:" },
    { bind: "localhost:0", hosts: ["localhost"], logged: "http://" },
    { bind: ":0", hosts: ["127.0.0.1", "[::1]"], logged: "http://[::]:" },
    { bind: "0.0.0.0:0", hosts: ["127.0.0.1"], logged: "http://0.0.0.0:" },
  ]
) {
  test(`LIVEKIT_JWT_BIND=${bind} answers at ${hosts.join(" and ")}, and so does healthcheck`, async () => {
    await using service = await start({ env: { ...ENV, LIVEKIT_JWT_BIND: bind } });
    assert(service.url.startsWith(logged), service.url);
    const { port } = new URL(service.url);
    for (const host of hosts) {
      const answer = await ask({ url: `http://${host}:${port}` }, "GET", "/healthz");
      assertEquals(answer.status, 200);
    }
    const same = bind.replace(/:0$/, `:${port}`);
    assertEquals(await healthcheck(same), { code: 0, stdout: "", stderr: "" });
    assertEquals(await service.stop(), 0);
    const dead = await healthcheck(same);
    assertEquals(dead.code, 1);
    assertMatch(dead.stderr, /^not healthy: .*refused/i);
  });
}

test("a port in use is exit 1, and the log names it", async () => {
  await using taken = startRawServer({ handle() {} });
  const bind = `127.0.0.1:${taken.port}`;
  const { code, stderr } = await run({ env: { ...ENV, LIVEKIT_JWT_BIND: bind } });
  assertEquals(code, 1);
  assertStringIncludes(stderr, `cannot listen on ${bind}: `);
  assertMatch(stderr, /in use.*; choose another address in LIVEKIT_JWT_BIND/);
  const other = await healthcheck(bind);
  assertEquals(other.code, 1);
});

test("an address that is not this machine's is exit 1, and the log names it", async () => {
  const { code, stderr } = await run({ env: { ...ENV, LIVEKIT_JWT_BIND: "192.0.2.1:0" } });
  assertEquals(code, 1);
  assertStringIncludes(stderr, "cannot listen on 192.0.2.1:0: ");
});

async function withFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function askOverSocket(path: string): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path });
  return await exchangeBytes(connection, HEALTHZ);
}

test("LIVEKIT_JWT_BIND=unix:… makes a socket for owner and group, removed at the end", () =>
  withFolder(async (folder) => {
    const path = `${folder}/auth.sock`;
    const bind = `unix:${path}`;
    await using service = await start({ env: { ...ENV, LIVEKIT_JWT_BIND: bind } });
    assertEquals(service.url, bind);
    assertEquals((await Deno.lstat(path)).mode! & 0o777, 0o660);
    assertMatch(await askOverSocket(path), /^HTTP\/1\.1 200 /);
    assertEquals((await healthcheck(bind)).code, 0);

    // Another one does not take it away, and does not harm it.
    const second = await run({ env: { ...ENV, LIVEKIT_JWT_BIND: bind } });
    assertEquals(second.code, 1);
    assertStringIncludes(second.stderr, `cannot listen on ${bind}: `);
    assertMatch(await askOverSocket(path), /^HTTP\/1\.1 200 /);

    assertEquals(await service.stop(), 0);
    await assertRejects(() => Deno.lstat(path), Deno.errors.NotFound);
    const dead = await healthcheck(bind);
    assertEquals(dead.code, 1);
    assertMatch(dead.stderr, /^not healthy: /);
  }));

test("a socket that a killed service has left behind is replaced", () =>
  withFolder(async (folder) => {
    const path = `${folder}/auth.sock`;
    const env = { ...ENV, LIVEKIT_JWT_BIND: `unix:${path}` };
    const first = await start({ env });
    await first.kill();
    assert((await Deno.lstat(path)).isSocket);
    await using _second = await start({ env });
    assertMatch(await askOverSocket(path), /^HTTP\/1\.1 200 /);
  }));

test("a socket is never put in the place of a file, nor into a folder that is not there", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "precious");
    for (const path of [`${folder}/file`, `${folder}/missing/auth.sock`]) {
      const { code, stderr } = await run({ env: { ...ENV, LIVEKIT_JWT_BIND: `unix:${path}` } });
      assertEquals(code, 1);
      assertStringIncludes(stderr, `cannot listen on unix:${path}: `);
    }
    assertEquals(await Deno.readTextFile(`${folder}/file`), "precious");
  }));

testSecrets();
