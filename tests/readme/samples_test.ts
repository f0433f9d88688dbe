// The configuration samples of the guide. Real proxies are for the tests of the samples in deploy/;
// here their text is held to the rules that the guide gives.

import { assert, assertEquals, assertExists, assertMatch } from "@std/assert";
import { startService } from "../support/service.ts";
import { readDocument } from "./support/document.ts";

const readme = await readDocument("README.md");
const blocksOf = (language: string) =>
  readme.blocks.filter((block) => block.language === language).map(({ text }) => text);

const HOMESERVER_MODE = {
  LIVEKIT_AS_TOKEN: "as-token-0123456789",
  LIVEKIT_HS_TOKEN: "hs-token-0123456789",
  LIVEKIT_HS_SERVER_NAME: "example.org",
  LIVEKIT_CS_API_URL_OVERRIDES: "example.org=http://127.0.0.1:9",
};

/** What the service says it answers, and what clients probe for beside it. */
async function endpoints(env: Record<string, string> = {}): Promise<string[]> {
  await using service = await startService({
    env: {
      LIVEKIT_URL: "ws://127.0.0.1:9",
      LIVEKIT_KEY: "key",
      LIVEKIT_SECRET: "secret",
      LIVEKIT_JWT_BIND: "127.0.0.1:0",
      ...env,
    },
  });
  const response = await fetch(service.url, { headers: { accept: "application/json" } });
  const page = await response.json();
  return [...new Set([...Object.keys(page.endpoints), "/delegate_delayed_leave"])];
}

Deno.test("README lists every endpoint", async () => {
  const listed = readme.rows.filter(({ columns }) => columns[0] === "path")
    .map(({ cells }) => cells[0]!.replace(/`(?:GET|POST) (.*)`/, "$1"));
  assertEquals(listed.sort(), [...await endpoints(), "/"].sort());
});

Deno.test("README lists what Synapse passes on", async () => {
  const listed = readme.rows.filter(({ columns }) => columns[0] === "what Synapse passes on")
    .map(({ cells }) => cells[0]!.replaceAll("`", ""));
  const more = (await endpoints(HOMESERVER_MODE)).filter((path) => path.startsWith("/_matrix/"));
  assertEquals(listed.sort(), more.sort());
});

Deno.test("README's Caddy samples forward every endpoint", async () => {
  const [withPrefix, beside, ...others] = blocksOf("caddyfile");
  assertEquals(others, []);
  assertExists(withPrefix);
  assertExists(beside);
  for (const sample of [withPrefix, beside]) checkBraces(sample);
  assertMatch(withPrefix, /handle \/livekit\/jwt\/\* \{\s*reverse_proxy 127\.0\.0\.1:8080\s*\}/);
  const paths = /@auth path (.*)/.exec(beside)?.[1]?.split(" ");
  assertEquals(paths?.sort(), (await endpoints()).sort());
  assertMatch(beside, /handle @auth \{\s*reverse_proxy 127\.0\.0\.1:8080\s*\}/);
});

Deno.test("README's nginx samples forward every endpoint", async () => {
  const [withPrefix, beside, ...others] = blocksOf("nginx");
  assertEquals(others, []);
  assertExists(withPrefix);
  assertExists(beside);
  for (const sample of [withPrefix, beside]) {
    checkBraces(sample);
    for (const line of sample.split("\n")) assertMatch(line, /^$|[{};]$/);
  }
  assertMatch(withPrefix, /location \/livekit\/jwt\/ \{\s*proxy_pass http:\/\/127\.0\.0\.1:8080;/);
  const pattern = /location ~ (\S+) \{\s*proxy_pass http:\/\/127\.0\.0\.1:8080;/.exec(beside)?.[1];
  assertExists(pattern);
  const location = new RegExp(pattern);
  for (const path of await endpoints()) assert(location.test(path), path);
  for (const path of ["/", "/rtc", "/rtc/validate", "/twirp/livekit.RoomService/ListRooms"]) {
    assert(!location.test(path), path);
  }
});

Deno.test("README's proxy samples let the SFU's connections last and add no CORS headers", () => {
  for (const sample of blocksOf("nginx")) {
    assertMatch(sample, /proxy_set_header Upgrade \$http_upgrade;/);
    assertMatch(sample, /proxy_read_timeout 1h;/);
  }
  for (const sample of [...blocksOf("nginx"), ...blocksOf("caddyfile")]) {
    assert(!/access-control|add_header|OPTIONS/i.test(sample));
  }
});

Deno.test("README's addresses agree with each other", () => {
  const [wellKnown] = blocksOf("json").map((text) => JSON.parse(text));
  const [focus] = wellKnown["org.matrix.msc4143.rtc_foci"];
  assertEquals(focus.type, "livekit");
  const [liveKit, synapse] = blocksOf("yaml");
  assertEquals(
    /livekit_service_url: (\S+)/.exec(synapse ?? "")?.[1],
    focus.livekit_service_url,
  );
  const { host, pathname } = new URL(focus.livekit_service_url);
  for (const sample of [blocksOf("caddyfile")[0], blocksOf("nginx")[0]]) {
    assert(sample?.includes(host));
    assert(sample?.includes(`${pathname}/`));
  }
  assertMatch(liveKit ?? "", /^room:\n {2}auto_create: false$/m);
  assertMatch(liveKit ?? "", /^ {4}- http:\/\/127\.0\.0\.1:8080\/sfu_webhook$/m);
});

Deno.test("README's systemd unit is one that systemd understands", async () => {
  const [unit, ...others] = blocksOf("systemd");
  assertExists(unit);
  assertEquals(others, []);
  const sections = new Map<string, string[]>();
  for (const line of unit.split("\n").filter((line) => line !== "")) {
    const section = /^\[(\w+)\]$/.exec(line)?.[1];
    if (section !== undefined) sections.set(section, []);
    else {
      assertMatch(line, /^[A-Z]\w+=.*$/);
      [...sections.values()].at(-1)!.push(line);
    }
  }
  assertEquals([...sections.keys()], ["Unit", "Service", "Install"]);
  const service = sections.get("Service")!;
  assertEquals(new Set(service).size, service.length);
  assert(service.includes("RestartPreventExitStatus=78"));
  assert(service.some((line) => line.startsWith("LoadCredential=LIVEKIT_SECRET:")));
  // V8 compiles at run time.
  assert(!service.some((line) => line.startsWith("MemoryDenyWriteExecute")));
  if (await isInstalled("systemd-analyze")) await verifyUnit(unit);
});

async function isInstalled(program: string): Promise<boolean> {
  try {
    await new Deno.Command(program, { args: ["--version"], stdout: "null" }).output();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function verifyUnit(unit: string): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/matrixrtc-auth.service`;
    // The program itself need not be installed for its unit to be right.
    await Deno.writeTextFile(path, unit.replace(/^ExecStart=.*$/m, "ExecStart=/bin/true"));
    const { code, stdout, stderr } = await new Deno.Command("systemd-analyze", {
      args: ["verify", "--man=no", path],
      signal: AbortSignal.timeout(30_000),
    }).output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    const aboutUnit = said.split("\n").filter((line) => line.includes("matrixrtc-auth"));
    assertEquals([code, aboutUnit], [0, []]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("README's diagram is well formed", () => {
  const [diagram, ...others] = blocksOf("mermaid");
  assertExists(diagram);
  assertEquals(others, []);
  const [first, ...lines] = diagram.trim().split("\n").map((line) => line.trim());
  assertEquals(first, "sequenceDiagram");
  const participants = new Set<string>();
  let depth = 0;
  for (const line of lines) {
    const participant = /^participant (\w+) as [\w -]+$/.exec(line)?.[1];
    const message = /^(\w+)-{1,2}>>(\w+): [^;#]+$/.exec(line);
    if (participant !== undefined) participants.add(participant);
    else if (message !== null) {
      assert(participants.has(message[1]!) && participants.has(message[2]!), line);
    } else if (/^opt [^;#]+$/.test(line)) depth++;
    else if (line === "end") depth--;
    else assertEquals(line, "autonumber");
    assert(depth >= 0, line);
  }
  assertEquals([depth, participants.size], [0, 4]);
});

function checkBraces(text: string): void {
  let depth = 0;
  for (const character of text) {
    if (character === "{") depth++;
    if (character === "}") depth--;
    assert(depth >= 0);
  }
  assertEquals(depth, 0);
}
