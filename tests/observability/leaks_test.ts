import { join } from "node:path";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { EVIDENCE_VARIABLE, OUTPUTS, SECRETS } from "../support/evidence.ts";
import { ROOT } from "../support/service.ts";
import { createLeakFinder, isDistinct } from "./leaks.ts";

const SECRET = "syt_YWxpY2U_a&b=c\u0001d/e+f\u00e9-0123456789abcdef";
const TOKEN = { kind: "access token", secret: SECRET };
const find = createLeakFinder([TOKEN, { kind: "delay ID", secret: "syd_AbCdEfGhIjKlMn" }]);

const LEAKS: { name: string; text: string }[] = [
  { name: "as it is", text: SECRET },
  { name: "in a URL", text: `https://example.org/${encodeURIComponent(SECRET)}` },
  { name: "in JSON", text: JSON.stringify({ token: SECRET }) },
  { name: "with escapes of the log", text: SECRET.replace("\u0001", "\\u{1}") },
  { name: "in Base64", text: new TextEncoder().encode(SECRET).toBase64() },
  {
    name: "in base64url",
    text: new TextEncoder().encode(SECRET).toBase64({ alphabet: "base64url" }),
  },
  { name: "in hex", text: new TextEncoder().encode(SECRET).toHex() },
  { name: "cut", text: `${SECRET.slice(0, 30)}…` },
];

for (const { name, text } of LEAKS) {
  Deno.test(`createLeakFinder() finds a secret ${name}`, () => {
    const found = [{ output: "x.log", kind: "access token" }];
    assertEquals(find("x.log", `first line\nuser=${text} and so on\n`), found);
  });
}

const SHAPES = [
  { kind: "a JWT", text: "token eyJhbGciOiJIUzI1NiJ9.e30.c2ln" },
  { kind: "a query with a token", text: "GET /userinfo?access_token=x" },
  { kind: "an Authorization header", text: "authorization: Bearer 0123456789" },
];

for (const { kind, text } of SHAPES) {
  Deno.test(`createLeakFinder() finds ${kind}, whoever made it`, () => {
    assertEquals(find("x.log", text), [{ output: "x.log", kind }]);
  });
}

Deno.test("createLeakFinder() finds all kinds in one output, each once", () => {
  const text = `syd_AbCdEfGhIjKlMn ${SECRET} syd_AbCdEfGhIjKlMn`;
  assertEquals(find("x.log", text).map(({ kind }) => kind).sort(), ["access token", "delay ID"]);
});

Deno.test("createLeakFinder() leaves alone what is no secret", () => {
  const text = "room=eyJk8jLM4udHhU6QPUOhjOdHtcJmle key=devkey syd_AbCdEfGhIjXXXX syt_YWxpY2U";
  assertEquals(find("x.log", text), []);
});

Deno.test("isDistinct() passes over words, and what is long for the sake of it", () => {
  const kind = "access token";
  assert(isDistinct(TOKEN));
  assert(!isDistinct({ kind, secret: "devkey" }));
  assert(!isDistinct({ kind, secret: "a".repeat(1000) }));
});

/** Runs the last step of .ci/run on a folder with one output and one secret. */
async function wholeRun(output: string): Promise<{ success: boolean; text: string }> {
  const folder = await Deno.makeTempDir();
  try {
    for (const part of [OUTPUTS, SECRETS]) await Deno.mkdir(join(folder, part));
    await Deno.writeTextFile(join(folder, OUTPUTS, "some_test-service-1.log"), output);
    const line = JSON.stringify([TOKEN.kind, TOKEN.secret]);
    await Deno.writeTextFile(join(folder, SECRETS, "1.jsonl"), `${line}\n`);
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "tools/deno.ts",
        "test",
        "-A",
        "--no-check",
        "tests/observability/whole_run.ts",
      ],
      cwd: ROOT,
      env: { [EVIDENCE_VARIABLE]: folder, NO_COLOR: "1" },
    }).output();
    const decoder = new TextDecoder();
    return { success, text: decoder.decode(stdout) + decoder.decode(stderr) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the check of the whole run fails for a leak and names the file and the kind only", async () => {
  const { success, text } = await wholeRun(`listening on x\nuser=${SECRET}\n`);
  assert(!success);
  assertStringIncludes(text, "some_test-service-1.log shows: access token");
  assertEquals(find("report", text.replaceAll("a query with a token", "")), []);
});

Deno.test("the check of the whole run fails when there is too little to check", async () => {
  const { success, text } = await wholeRun("listening on x\n");
  assert(!success);
  assertStringIncludes(text, "only 1 outputs");
  assertStringIncludes(text, "no output of the whole run shows a secret, token or JWT ... ok");
});
