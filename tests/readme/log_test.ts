// What the guide says of the log, held against what the service writes.

import { assert, assertEquals, assertExists, assertStringIncludes } from "@std/assert";
import { exchangeToken } from "../../tools/demo/exchange.ts";
import { createWorld } from "../../tools/demo/world.ts";
import { ROOT } from "../support/service.ts";
import { readDocument } from "./support/document.ts";

const readme = await readDocument("README.md");
const sample = readme.blocks.find(({ text }) => text.includes("issued a join token"));

Deno.test("README's lines of the log have the form of real ones", async () => {
  const [success = "", failure = "", ...others] = sample?.text.trim().split("\n") ?? [];
  assertEquals(others, []);
  await using world = await createWorld({ onLog() {} });
  const { service, request, liveKit } = world;
  await exchangeToken(service.url, request, liveKit);
  const [issued] = await service.waitForLog(/^.* issued a join token .*$/m);
  assertEquals(shapeOf(success), shapeOf(issued));

  const openid_token = { ...request.openid_token, matrix_server_name: "127.0.0.1:9" };
  await exchangeToken(service.url, { ...request, openid_token }, liveKit);
  const [refused] = await service.waitForLog(/^.* could not be authorised.*$/m);
  const { keys, level } = shapeOf(refused);
  // The other request of the sample came to the older endpoint, and no further than DNS.
  assertEquals({ keys, level }, { keys: shapeOf(failure).keys, level: "WARNING" });
});

Deno.test("docs/logs.md has the fields and the form of real lines in JSON", async () => {
  const logs = await readDocument("docs/logs.md");
  const fields = logs.rows.filter(({ columns }) => columns[0] === "field")
    .map(({ cells }) => cells[0]!.replaceAll("`", ""));
  const lines = logs.blocks.find(({ language }) => language === "json")!.text.trim().split("\n");
  const [success, failure] = lines.map((line) => JSON.parse(line));
  await using world = await createWorld({ onLog() {} });
  const { service, request, liveKit } = world;
  await exchangeToken(service.url, request, liveKit);
  const openid_token = { ...request.openid_token, matrix_server_name: "127.0.0.1:9" };
  await exchangeToken(service.url, { ...request, openid_token }, liveKit);
  const [issued] = await service.waitForLog(/^.* issued a join token .*$/m);
  const [refused] = await service.waitForLog(/^.*could not be authorised.*$/m);
  // The form itself is the formatter's; which keys there are is the service's.
  const own = ["time", "level", "message"];
  assertEquals(Object.keys(success), [...own, ...shapeOf(issued).keys]);
  assertEquals(Object.keys(failure), [...own, ...shapeOf(refused).keys]);
  const used = [...shapeOf(issued).keys, ...shapeOf(refused).keys];
  assertEquals(fields.toSorted(), [...new Set(used)].sort());
});

Deno.test("docs/logs.md finds a request's lines as it says", async () => {
  const logs = await readDocument("docs/logs.md");
  const shell = logs.blocks.filter(({ language }) => language === "sh").map(({ text }) => text);
  const lines = logs.blocks.find(({ language }) => language === "json")!.text.trim().split("\n");
  const [success, failure] = lines.map((line) => JSON.parse(line));
  const [byText, byRequest, byServer] = shell;
  assertEquals(/-g "(.*)"/.exec(byText!)?.[1], `request=${failure.request}`);
  assertStringIncludes(sample!.text, `request=${failure.request}`);
  const wanted = /select\(\.request == "(.*)"\)/.exec(byRequest!)?.[1];
  assertEquals([success, failure].filter(({ request }) => request === wanted), [failure]);
  const server = /select\(\.server == "(.*)" and \.hop\)/.exec(byServer!)?.[1];
  assertEquals([success, failure].filter((line) => line.server === server && line.hop), [failure]);
});

Deno.test("README explains every hop", async () => {
  const errors = await Deno.readTextFile(`${ROOT}/lib/matrix/errors.ts`);
  const type = /export type Hop =([^;]*);/.exec(errors)?.[1];
  assertExists(type);
  const hops = [...type.matchAll(/\| "(\w+)"/g)].map((match) => match[1]!);
  const explained = readme.rows.filter(({ columns }) => columns[0] === "hop")
    .map(({ cells }) => cells[0]!.replaceAll("`", ""));
  assertEquals(explained.sort(), hops.sort());
});

/** Words of the log that the guide tells people to look for, and the file that says them. */
const PHRASES = [
  ["userinfo says HTTP", "lib/verification/openid.ts"],
  ["userinfo vouches for", "lib/verification/openid.ts"],
  ["check key, secret and clock", "lib/sfu/twirp.ts"],
  ["is this LiveKit, or a proxy in front of it?", "lib/sfu/twirp.ts"],
  ["could not be authorised", "lib/matrix/errors.ts"],
  ["listening on", "main.ts"],
] as const;

for (const [phrase, file] of PHRASES) {
  Deno.test(`README quotes the log: ${phrase}`, async () => {
    assertStringIncludes(readme.text, phrase);
    assertStringIncludes(await Deno.readTextFile(`${ROOT}/${file}`), phrase);
  });
}

function shapeOf(line: string): { level: string | undefined; message: string; keys: string[] } {
  const match = /^\d{4}-\d\d-\d\dT[\d:.]+Z (\w+) +(.*?)((?: \w+=(?:"[^"]*"|\S+))*)$/.exec(line);
  assert(match !== null, line);
  const [, level, message, pairs] = match;
  return {
    level,
    message: message!,
    keys: [...pairs!.matchAll(/ (\w+)=/g)].map((pair) => pair[1]!),
  };
}
