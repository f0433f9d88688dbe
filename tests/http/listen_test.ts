import { assert, assertEquals, assertRejects } from "@std/assert";
import { formatListenAddress, listen } from "../../lib/http/listen.ts";
import type { Handler } from "../../lib/http/handler.ts";

const handle: Handler = Object.assign(() => Promise.resolve(new Response("hello")), {
  drain: () => Promise.resolve(),
});

async function withSocketPath(action: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await action(`${folder}/auth.sock`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function askOverSocket(path: string): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path });
  await connection.write(
    new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
  );
  return await new Response(connection.readable).text();
}

Deno.test("formatListenAddress() writes addresses as they are configured", () => {
  assertEquals(formatListenAddress({ kind: "tcp", port: 80 }), ":80");
  assertEquals(formatListenAddress({ kind: "tcp", hostname: "h", port: 80 }), "h:80");
  assertEquals(formatListenAddress({ kind: "tcp", hostname: "::1", port: 80 }), "[::1]:80");
  assertEquals(formatListenAddress({ kind: "unix", path: "/a" }), "unix:/a");
});

for (const hostname of ["127.0.0.1", "::1"]) {
  Deno.test(`listen() answers at ${hostname} and tells where`, async () => {
    const listener = await listen({ kind: "tcp", hostname, port: 0 }, handle);
    assert(
      listener.address.startsWith(hostname === "::1" ? "http://[::1]:" : `http://${hostname}:`),
    );
    assertEquals(await (await fetch(listener.address)).text(), "hello");
    await listener.shutdown();
  });
}

Deno.test("listen() answers at all addresses when no host is named", async () => {
  const listener = await listen({ kind: "tcp", port: 0 }, handle);
  const { port } = new URL(listener.address);
  for (const host of ["127.0.0.1", "[::1]"]) {
    assertEquals(await (await fetch(`http://${host}:${port}`)).text(), "hello");
  }
  await listener.shutdown();
});

for (const hostname of ["127.0.0.1", undefined]) {
  Deno.test(`listen() reports a port in use at ${hostname ?? "all addresses"}`, async () => {
    const first = await listen({ kind: "tcp", port: 0 }, handle);
    const port = Number(new URL(first.address).port);
    const address = { kind: "tcp", port, ...(hostname && { hostname }) } as const;
    await assertRejects(() => listen(address, handle), Deno.errors.AddrInUse);
    await first.shutdown();
  });
}

Deno.test("listen() makes a socket for owner and group, and removes it at the end", () =>
  withSocketPath(async (path) => {
    const umask = Deno.umask();
    const listener = await listen({ kind: "unix", path }, handle);
    assertEquals(listener.address, `unix:${path}`);
    assertEquals((await Deno.lstat(path)).mode! & 0o777, 0o660);
    assertEquals(Deno.umask(), umask);
    assert((await askOverSocket(path)).endsWith("hello"));
    await listener.shutdown();
    await assertRejects(() => Deno.lstat(path), Deno.errors.NotFound);
  }));

Deno.test("listen() replaces a socket whose process is gone", () =>
  withSocketPath(async (path) => {
    const stale = Deno.listen({ transport: "unix", path: `${path}.moved` });
    await Deno.rename(`${path}.moved`, path);
    stale.close();
    assert((await Deno.lstat(path)).isSocket);
    const listener = await listen({ kind: "unix", path }, handle);
    assert((await askOverSocket(path)).endsWith("hello"));
    await listener.shutdown();
  }));

Deno.test("listen() leaves a socket in use alone", () =>
  withSocketPath(async (path) => {
    const first = await listen({ kind: "unix", path }, handle);
    await assertRejects(() => listen({ kind: "unix", path }, handle), Deno.errors.AddrInUse);
    assert((await askOverSocket(path)).endsWith("hello"));
    await first.shutdown();
  }));

Deno.test("listen() leaves a socket alone whose owner is too busy to accept", () =>
  withSocketPath(async (path) => {
    using _busy = Deno.listen({ transport: "unix", path });
    const queue: Deno.Conn[] = [];
    try {
      await assertRejects(async () => {
        while (queue.length < 10_000) queue.push(await Deno.connect({ transport: "unix", path }));
      }, Deno.errors.WouldBlock);
      await assertRejects(() => listen({ kind: "unix", path }, handle), Deno.errors.AddrInUse);
      assert((await Deno.lstat(path)).isSocket);
    } finally {
      queue.forEach((connection) => connection.close());
    }
  }));

for (const kind of ["file", "folder"]) {
  Deno.test(`listen() does not take the place of a ${kind}`, () =>
    withSocketPath(async (path) => {
      if (kind === "file") await Deno.writeTextFile(path, "precious");
      else await Deno.mkdir(path);
      await assertRejects(() => listen({ kind: "unix", path }, handle), Error);
      assert((await Deno.lstat(path))[kind === "file" ? "isFile" : "isDirectory"]);
    }));
}

Deno.test("shutdown() waits for the request in work and refuses new ones", async () => {
  const arrived = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const slow: Handler = Object.assign(async () => {
    arrived.resolve();
    await release.promise;
    return new Response("late");
  }, { drain: () => Promise.resolve() });
  const listener = await listen({ kind: "tcp", hostname: "127.0.0.1", port: 0 }, slow);
  const request = fetch(listener.address);
  await arrived.promise;
  let isDown = false;
  const down = listener.shutdown().then(() => isDown = true);
  await assertRejects(() => fetch(listener.address), TypeError);
  assertEquals(isDown, false);
  release.resolve();
  assertEquals(await (await request).text(), "late");
  await down;
});
