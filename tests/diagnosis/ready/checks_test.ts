import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import type { Finding } from "../../../lib/diagnosis/check.ts";
import { createReadyChecks, type ReadyCheckOptions } from "../../../lib/diagnosis/ready/checks.ts";
import { watchStore } from "../../../lib/diagnosis/ready/store.ts";
import type { JobStore } from "../../../lib/delayed_leave/store.ts";
import { createMemoryStore } from "../../../lib/delayed_leave/stores/memory_store.ts";
import { RefusedError } from "../../../lib/homeserver/refusal.ts";
import { UpstreamError } from "../../../lib/matrix/errors.ts";
import type { HttpClient } from "../../../lib/net/http_client.ts";
import { WebhookSightings } from "../../../lib/sfu/webhook_sightings.ts";
import { createManualClock } from "../../support/manual_clock.ts";

const API_URL = "http://10.9.8.7:7880";
const TOKEN = "token-of-the-service";

/** All checks of a service whose LiveKit gives an answer, or none. */
function makeChecks(
  answer: { status: number; text: string } | UpstreamError,
  parts: Partial<ReadyCheckOptions> = {},
) {
  const requests: unknown[] = [];
  const client: Pick<HttpClient, "request"> = {
    request(_target, { method, path, headers, body }) {
      requests.push({ method, path, headers, body });
      if (answer instanceof UpstreamError) return Promise.reject(answer);
      const bytes = new TextEncoder().encode(answer.text);
      return Promise.resolve({ status: answer.status, headers: {}, body: bytes });
    },
  };
  const checks = createReadyChecks({
    sfu: {
      client: client as HttpClient,
      clock: createManualClock(),
      apiUrl: API_URL,
      serviceToken: () => TOKEN,
    },
    webhookState: () => "arriving",
    configWarnings: 0,
    ...parts,
  });
  const run = async (name: string) => await checks.find((check) => check.name === name)!.run();
  return { checks, run, requests };
}

const GOOD = { status: 200, text: "{}" };

/** What the page shows names nothing of the inside. */
function assertPublic({ remedy }: Finding): void {
  assert(!/10\.9|https?:|example|\d{2}/.test(remedy!.replace("`", "")), remedy);
}

Deno.test("createReadyChecks() looks at what there is", () => {
  const names = (parts?: Partial<ReadyCheckOptions>) =>
    makeChecks(GOOD, parts).checks.map(({ name }) => name);
  assertEquals(names(), ["sfu", "webhooks", "configuration"]);
  assertEquals(
    names({ askHomeserver: () => Promise.resolve(undefined), isStoreWorking: () => true }),
    ["sfu", "homeserver", "webhooks", "delayed_leaves", "configuration"],
  );
  assertEquals(
    makeChecks(GOOD).checks.filter(({ isVital }) => isVital).map(({ name }) => name),
    ["sfu"],
  );
});

Deno.test("the SFU's check asks for one room that does not exist", async () => {
  const { run, requests } = makeChecks(GOOD);
  assertEquals((await run("sfu")).verdict, "PASS");
  assertEquals(requests, [{
    method: "POST",
    path: "/twirp/livekit.RoomService/ListRooms",
    headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
    body: '{"names":["matrixrtc-auth-readiness"]}',
  }]);
});

const BAD_ANSWERS: [string, { status: number; text: string } | UpstreamError, RegExp, string][] = [
  [
    "cannot be reached",
    new UpstreamError("tcp", "cannot connect to 10.9.8.7"),
    /see that it runs/,
    "tcp",
  ],
  [
    "does not know the key",
    { status: 401, text: `invalid API key: ${TOKEN}` },
    /LIVEKIT_KEY/,
    "answer",
  ],
  ["is no LiveKit", { status: 404, text: "<html>" }, /LIVEKIT_INTERNAL_URL/, "answer"],
];
for (const [what, answer, remedy, hop] of BAD_ANSWERS) {
  Deno.test(`the SFU's check fails when it ${what}`, async () => {
    const finding = await makeChecks(answer).run("sfu");
    assertEquals([finding.verdict, finding.hop], ["FAIL", hop]);
    assertMatch(finding.remedy!, remedy);
    assertPublic(finding);
    assertStringIncludes(finding.evidence, `ListRooms at ${API_URL}: `);
    assert(!finding.evidence.includes(TOKEN));
  });
}

const REFUSALS: [UpstreamError, RegExp][] = [
  [
    new RefusedError("is_joined at https://hs.example: HTTP 403", 403, "M_FORBIDDEN"),
    /registration/,
  ],
  [new UpstreamError("tls", "hs.example: certificate has expired"), /cannot be reached/],
];
for (const [refusal, remedy] of REFUSALS) {
  Deno.test(`the homeserver's check warns, and no more, at hop ${refusal.hop}`, async () => {
    const askHomeserver = () => Promise.resolve(refusal);
    const finding = await makeChecks(GOOD, { askHomeserver }).run("homeserver");
    assertEquals([finding.verdict, finding.hop], ["WARN", refusal.hop]);
    assertMatch(finding.remedy!, remedy);
    assertPublic(finding);
    assertStringIncludes(finding.evidence, refusal.message);
  });
}

Deno.test("the homeserver's check passes when it answers", async () => {
  const askHomeserver = () => Promise.resolve(undefined);
  assertEquals((await makeChecks(GOOD, { askHomeserver }).run("homeserver")).verdict, "PASS");
});

for (
  const [state, verdict] of [["arriving", "PASS"], ["none", "SKIP"], ["rejected", "WARN"]] as const
) {
  Deno.test(`the webhooks' check is ${verdict} when they are ${state}`, async () => {
    const finding = await makeChecks(GOOD, { webhookState: () => state }).run("webhooks");
    assertEquals([finding.verdict, finding.remedy !== undefined], [verdict, verdict === "WARN"]);
  });
}

Deno.test("the configuration's check warns of warnings, without their number", async () => {
  assertEquals((await makeChecks(GOOD).run("configuration")).verdict, "PASS");
  const finding = await makeChecks(GOOD, { configWarnings: 17 }).run("configuration");
  assertEquals(finding.verdict, "WARN");
  assertPublic(finding);
});

Deno.test("the store's check warns while the last writing failed, or jobs may not be acted on", async () => {
  let trouble: Error | undefined;
  let mayAct = true;
  const { store, isWorking } = watchStore({
    ...createMemoryStore(),
    write: (changes) =>
      trouble === undefined ? Promise.resolve(changes.map(() => "kept")) : Promise.reject(trouble),
    mayAct: () => mayAct,
  });
  const verdict = async () =>
    (await makeChecks(GOOD, { isStoreWorking: isWorking }).run("delayed_leaves")).verdict;
  assertEquals(await verdict(), "PASS");
  trouble = new Error("no");
  await assertRejects(() => store.write([]), Error, "no");
  assertEquals(await verdict(), "WARN");
  trouble = undefined;
  assertEquals(await store.write([]), []);
  assertEquals(await verdict(), "PASS");
  mayAct = false;
  assertEquals(await verdict(), "WARN");
});

Deno.test("watchStore() passes everything on", async () => {
  const calls: unknown[][] = [];
  const note = (name: string, result: unknown) => (...args: unknown[]) => {
    calls.push([name, ...args]);
    return result;
  };
  const inner = {
    start: note("start", Promise.resolve([])),
    write: note("write", Promise.resolve([])),
    pass: note("pass", Promise.resolve()),
    mayAct: note("mayAct", false),
    fallsToThis: note("fallsToThis", false),
    close: note("close", Promise.resolve()),
  } as unknown as JobStore;
  const { store } = watchStore(inner);
  const [listener, changes, event] = [{}, [], {}] as never[];
  await store.start(listener!);
  await store.write(changes!);
  await store.pass(event!);
  assertEquals([store.mayAct("restart"), store.fallsToThis("task")], [false, false]);
  await store.close();
  assertEquals(calls, [
    ["start", listener],
    ["write", changes],
    ["pass", event],
    ["mayAct", "restart"],
    ["fallsToThis", "task"],
    ["close"],
  ]);
});

Deno.test("WebhookSightings tells of wrong signatures until a right one comes, or ten minutes", () => {
  const clock = createManualClock();
  const sightings = new WebhookSightings(clock);
  assertEquals(sightings.state(), "none");
  sightings.noteRejected();
  assertEquals(sightings.state(), "rejected");
  clock.advance(1);
  sightings.note({ event: "room_started" } as Parameters<typeof sightings.note>[0]);
  assertEquals(sightings.state(), "arriving");
  clock.advance(1);
  sightings.noteRejected();
  clock.advance(599_999);
  assertEquals(sightings.state(), "rejected");
  clock.advance(1);
  assertEquals(sightings.state(), "arriving");
});
