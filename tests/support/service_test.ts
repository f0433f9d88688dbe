import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { runService, startService } from "./service.ts";

/** A stand-in for the service: these tests are about starting and stopping one. */
function script(source: string): string[] {
  return [Deno.execPath(), "eval", source];
}

// The signal first: whoever has seen the address may send it.
const SERVE = `
  Deno.addSignalListener("SIGTERM", async () => {
    await server.shutdown();
    console.error("drained");
    Deno.exit(3);
  });
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => console.error("INFO listening on http://127.0.0.1:" + port),
  }, (request) => {
    console.log("asked for " + new URL(request.url).pathname);
    return Response.json(Deno.env.toObject());
  });
`;

Deno.test("startService() waits for the address and gives only the environment it was told", async () => {
  await using service = await startService({ command: script(SERVE), env: { GIVEN: "yes" } });
  const environment = await (await fetch(`${service.url}/first`)).json();
  assertEquals(environment.GIVEN, "yes");
  assertEquals(environment.PWD, undefined);
  const [, path] = await service.waitForLog(/asked for (\S+)\n/);
  assertEquals(path, "/first");
});

Deno.test("startService() stops by SIGTERM and tells the exit code", async () => {
  await using service = await startService({ command: script(SERVE) });
  assertEquals(await service.stop(), 3);
  assertStringIncludes(service.output, "drained");
  await assertRejects(() => service.waitForLog(/never/), Error, "ended without");
});

Deno.test("startService() kills without asking", async () => {
  const service = await startService({ command: script(SERVE) });
  await service.kill();
  assertEquals(service.output.includes("drained"), false);
  await assertRejects(() => fetch(service.url), TypeError);
});

Deno.test("startService() rejects with the output of a service that ends first", async () => {
  const command = script(`console.error("LIVEKIT_URL: missing"); Deno.exit(78)`);
  await assertRejects(() => startService({ command }), Error, "LIVEKIT_URL: missing");
});

Deno.test("startService() sees the service behind tools/deno.ts", async () => {
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(path, `${SERVE} console.error("pid " + Deno.pid);`);
    const service = await startService({
      command: [Deno.execPath(), "run", "-A", "tools/deno.ts", "run", "-A", path],
    });
    const [, pid] = await service.waitForLog(/pid (\d+)\n/);
    if (Deno.build.os === "linux") assertEquals(service.pid, Number(pid));
    assertEquals(await service.stop(), 3);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("runService() returns code and both outputs of a command", async () => {
  const command = script(`console.log("out"); console.error("err"); Deno.exit(64)`);
  assertEquals(await runService({ command }), { code: 64, stdout: "out\n", stderr: "err\n" });
});
