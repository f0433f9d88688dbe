import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { startSfu } from "../fakes/sfu.ts";
import { ROOT, startService } from "../support/service.ts";

/** Runs a command to its end, or kills it after a minute. */
async function run(command: string[], env: Record<string, string> = {}) {
  const [program = "", ...args] = command;
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd: ROOT,
    env,
    stdin: "null",
    signal: AbortSignal.timeout(60_000),
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, stdout: out ?? "", stderr: err ?? "" };
}

/** The demo's own lines, below tools/deno.ts as `deno task demo` has it. */
const DEMO = [Deno.execPath(), "run", "-A", "tools/deno.ts", "run", "-A", "tools/demo.ts"];

Deno.test("deno task demo --once shows a decoded token and leaves nothing running", async () => {
  const { code, stdout, stderr } = await run([Deno.execPath(), "task", "demo", "--once"]);
  assertEquals(code, 0, stderr);
  assertStringIncludes(stdout, "POST /get_token");
  assertStringIncludes(stdout, "200 OK");
  assertStringIncludes(stdout, `{"alg":"HS256","typ":"JWT"}`);
  // User, device and member of the request, hashed as the protocol has it.
  const [, serverName] = stdout.match(/"matrix_server_name": "(localhost:\d+)"/) ?? [];
  const user = `@alice:${serverName}`;
  assertMatch(stdout, claim("sub", await hash([user, "ALICESPHONE", "alices-first-tab"])));
  assertMatch(stdout, claim("iss", "devkey"));
  const room = await hash([`!demo:${serverName}`, "m.call#ROOM"]);
  assertMatch(stdout, claim("room", room));
  assertMatch(stdout, /roomJoin +true/);
  assertMatch(stdout, /canPublish +true/);
  assertStringIncludes(stdout, `CreateRoom {"name":"${room}"`);
  assertEquals(stdout.includes("\x1b["), false);
  const [, url] = stdout.match(/service +(http:\S+)/) ?? [];
  assert(url !== undefined);
  await assertRejects(() => fetch(url), TypeError);
});

Deno.test("deno task demo stays up, its curl line works as it stands, and an interrupt ends it", async () => {
  await using demo = await startDemo();
  const [, line] = await demo.waitForLog(/^(curl .*)\n[^]*Ctrl\+C/m);
  assert(line !== undefined);
  const { code, stdout, stderr } = await run(["sh", "-c", line]);
  assertEquals(code, 0, stderr);
  assertEquals(Object.keys(JSON.parse(stdout)).sort(), ["jwt", "url"]);
  assertEquals(await demo.stop(), 0);
  const [, url] = line.match(/(http:\/\/[^/]+)/) ?? [];
  await assertRejects(() => fetch(url!), TypeError);
});

Deno.test("deno task demo uses the SFU that LIVEKIT_URL names", async () => {
  await using sfu = startSfu({ key: "APIxyz" });
  const { code, stdout, stderr } = await run([...DEMO, "--once"], {
    LIVEKIT_URL: sfu.liveKitUrl,
    LIVEKIT_KEY: sfu.key,
    LIVEKIT_SECRET: sfu.secret,
  });
  assertEquals(code, 0, stderr);
  assertStringIncludes(stdout, `"url": "${sfu.liveKitUrl}"`);
  assertMatch(stdout, claim("iss", "APIxyz"));
  assertEquals(sfu.count("CreateRoom"), 1);
});

Deno.test("deno task demo explains what it needs", async () => {
  const help = await run([...DEMO, "--help"]);
  assertEquals([help.code, help.stdout.startsWith("usage: deno task demo")], [0, true]);
  const typo = await run([...DEMO, "--onec"]);
  assertEquals(typo.code, 64);
  assertStringIncludes(typo.stderr, "Unknown argument --onec");
  const keyless = await run(DEMO, { LIVEKIT_URL: "ws://127.0.0.1:7880", LIVEKIT_KEY: "" });
  assertEquals(keyless.code, 64);
  assertStringIncludes(keyless.stderr, "LIVEKIT_SECRET");
});

function startDemo() {
  const env: Record<string, string> = {};
  for (const name of ["MATRIXRTC_AUTH_BINARY", "STD_FROM"]) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] = value;
  }
  return startService({
    command: DEMO,
    env,
    startTimeoutMs: 60_000,
    address: /service +(http:\S+) /,
  });
}

function claim(name: string, value: string): RegExp {
  return new RegExp(`${name} +"${value.replace(/[+/]/g, "\\$&")}"`);
}

async function hash(parts: string[]): Promise<string> {
  const data = new TextEncoder().encode(JSON.stringify(parts));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return digest.toBase64({ omitPadding: true });
}
