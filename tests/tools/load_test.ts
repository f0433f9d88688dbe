import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { startRawServer, writeAll } from "../fakes/raw_server.ts";
import { ROOT } from "../support/service.ts";
import { parseLoadArguments } from "../../tools/load/arguments.ts";
import { runClosedLoop, runOpenLoop } from "../../tools/load/drive.ts";
import { prepareTokenRequests } from "../../tools/load/token_requests.ts";

const requests = prepareTokenRequests({ serverName: "localhost:1", rooms: 2, users: 3 });

/** Answers whatever comes, in two pieces so that the client has to put them together. */
function startAnswering(answer: string) {
  return startRawServer({
    async handle(connection) {
      const buffer = new Uint8Array(8192);
      while (await connection.read(buffer) !== null) {
        await writeAll(connection, answer.slice(0, 30));
        await writeAll(connection, answer.slice(30));
      }
    },
  });
}

Deno.test("runClosedLoop() counts every request, its connections and what failed", async () => {
  await using good = startAnswering(`HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"jwt":""}`);
  const options = { requests, count: 20, timeoutMs: 10_000, connections: 4 };
  const drive = await runClosedLoop({ ...options, port: good.port });
  assertEquals([drive.latenciesMs.length, drive.connections, drive.failures], [20, 4, {}]);
  assert(drive.latenciesMs.every((ms) => ms > 0));
  await using bad = startAnswering("HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}");
  assertEquals((await runClosedLoop({ ...options, port: bad.port })).failures, { 503: 20 });
});

Deno.test("runOpenLoop() opens a connection only when none is free", async () => {
  await using good = startAnswering(`HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"jwt":""}`);
  const drive = await runOpenLoop({
    port: good.port,
    requests,
    count: 50,
    withinMs: 50,
    timeoutMs: 10_000,
  });
  assertEquals([drive.latenciesMs.length, drive.failures], [50, {}]);
  assertEquals(drive.connections, good.connections);
  assert(drive.connections < 50);
});

Deno.test("runClosedLoop() gives up on a service that stays silent", async () => {
  await using silent = startRawServer({ handle: () => new Promise(() => {}) });
  const options = { port: silent.port, requests, count: 1, connections: 1, timeoutMs: 20 };
  await assertRejects(() => runClosedLoop(options), Error, "failed after 0 of 1 requests");
});

Deno.test("parseLoadArguments() refuses what makes no sense", () => {
  for (
    const args of [["--requests", "0"], ["--requests", "x"], ["--rooms", "few"], ["--only", "x"], [
      "--fast",
    ]]
  ) {
    assertThrows(() => parseLoadArguments(args), TypeError);
  }
  assertEquals(parseLoadArguments(["--help"]), undefined);
  assertEquals(parseLoadArguments(["--rooms", "fresh", "--script", "x.js"])?.rooms, Infinity);
  const parts = (...args: string[]) => [...parseLoadArguments(args)!.parts];
  assertEquals(parts(), ["start", "closed", "storm"]);
  assertEquals(parts("--memory"), ["start", "closed", "storm", "memory"]);
  assertEquals(parts("--only", "memory"), ["memory"]);
});

Deno.test({
  name: "deno task load --quick prints every figure",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "load", "--quick", "--requests", "20", "--memory"],
      cwd: ROOT,
      stdin: "null",
      signal: AbortSignal.timeout(90_000),
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    const report = JSON.parse(new TextDecoder().decode(stdout));
    assert(report.start.firstHealthzMs > 0 && report.start.idleRssMiB > 0);
    assertEquals(report.closedLoops.length, 7);
    for (const loop of report.closedLoops) {
      assertEquals(loop.failures, {});
      assert(loop.p50Ms > 0 && loop.p50Ms <= loop.p95Ms && loop.p95Ms <= loop.p99Ms);
      assertEquals(loop.userinfoRequests, loop.requests);
      if (loop.access === "restricted") assertEquals(loop.createRoomCalls, 0);
      if (loop.rooms === "fresh") assertEquals(loop.createRoomCalls, loop.requests);
    }
    assertEquals([report.storm.requests, report.storm.failures], [20, {}]);
    assert(report.storm.createRoomCalls >= 1);
    assertEquals(report.memory.requests, 300);
    assert(report.memory.finalRssMiB > 0);
  },
});
