import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { parseJson, readBody } from "../../lib/http/read_json.ts";
import { InvalidRequestError, MatrixError } from "../../lib/matrix/errors.ts";
import { createManualClock } from "../support/manual_clock.ts";

const MAX_BYTES = 64 * 1024;
const TIMEOUT_MS = 10_000;

function limits() {
  return { maxBytes: MAX_BYTES, timeoutMs: TIMEOUT_MS, clock: createManualClock() };
}

/** A request as the server sees one: `fetch` would neither set nor allow these headers. */
function post(body: BodyInit | null, headers: Record<string, string> = {}): Request {
  return new Request("http://service.example/", { method: "POST", body, headers });
}

/** A body that comes in pieces, and notes whether anybody still wants more. */
function pieces(count: number, size: number) {
  const seen = { pulled: 0, isCancelled: false };
  const stream = new ReadableStream({
    pull(controller) {
      if (seen.pulled === count) return controller.close();
      seen.pulled++;
      controller.enqueue(new Uint8Array(size).fill(97));
    },
    cancel() {
      seen.isCancelled = true;
    },
  });
  return { stream, seen };
}

const FRAMINGS: { name: string; headers: (length: number) => Record<string, string> }[] = [
  { name: "with its length", headers: (length) => ({ "content-length": `${length}` }) },
  { name: "without a length", headers: () => ({}) },
  {
    name: "in chunks, with a length that lies",
    headers: () => ({ "content-length": "3", "transfer-encoding": "chunked" }),
  },
];

for (const { name, headers } of FRAMINGS) {
  Deno.test(`readBody() reads a body ${name} up to exactly 64 KiB`, async () => {
    for (const length of [0, 1, MAX_BYTES - 1, MAX_BYTES]) {
      const bytes = await readBody(post("a".repeat(length), headers(length)), limits());
      assertEquals(bytes.length, length);
    }
  });

  Deno.test(`readBody() refuses a body ${name} of 64 KiB and a byte`, async () => {
    const length = MAX_BYTES + 1;
    const error = await assertRejects(
      () => readBody(post("a".repeat(length), headers(length)), limits()),
      InvalidRequestError,
    );
    assertEquals([error.errcode, error.status], ["M_TOO_LARGE", 413]);
  });
}

Deno.test("readBody() reads no body as an empty one", async () => {
  assertEquals((await readBody(post(null), limits())).length, 0);
});

Deno.test("readBody() does not begin to read what is announced as too large", async () => {
  const { stream, seen } = pieces(Infinity, 1000);
  const request = post(stream, { "content-length": "104857600" });
  await assertRejects(() => readBody(request, limits()), InvalidRequestError);
  // One piece is what the stream has ready by itself.
  assertEquals([seen.pulled <= 1, request.bodyUsed], [true, false]);
});

Deno.test("readBody() stops an endless body where it passes the limit", async () => {
  const { stream, seen } = pieces(Infinity, 1000);
  const error = await assertRejects(() => readBody(post(stream), limits()), InvalidRequestError);
  assertEquals(error.errcode, "M_TOO_LARGE");
  assertEquals(seen.isCancelled, true);
  // 66 pieces pass the limit; the stream may have one more ready.
  assertEquals(seen.pulled >= 66 && seen.pulled <= 68, true);
});

Deno.test("readBody() puts the pieces of a body together in order", async () => {
  const texts = ['{"a"', ":", "", '"é', '😀"}'];
  const stream = ReadableStream.from(texts.map((text) => new TextEncoder().encode(text)));
  const bytes = await readBody(post(stream), limits());
  assertEquals(parseJson(bytes), { a: "é😀" });
});

for (const headers of [{}, { "content-length": "9" }] as Record<string, string>[]) {
  const how = "content-length" in headers ? "with its length" : "without a length";
  Deno.test(`readBody() gives up on a slow body ${how} after its time`, async () => {
    const options = limits();
    const { clock } = options;
    const stream = new ReadableStream({
      start: (controller) => controller.enqueue(new Uint8Array(1)),
    });
    const reading = readBody(post(stream, headers), options);
    let isOver = false;
    reading.catch(() => isOver = true);
    await clock.waitForTimer(TIMEOUT_MS);
    clock.advance(TIMEOUT_MS - 1);
    for (let i = 0; i < 20; i++) await Promise.resolve();
    assertEquals(isOver, false);
    clock.advance(1);
    const error = await assertRejects(() => reading, MatrixError);
    assertEquals([error.errcode, error.status], ["M_UNKNOWN", 408]);
  });

  Deno.test(`readBody() reports a client that goes away in a body ${how}`, async () => {
    const stream = new ReadableStream({
      pull: (controller) => controller.error(new Deno.errors.ConnectionReset("gone")),
    });
    const error = await assertRejects(
      () => readBody(post(stream, headers), limits()),
      InvalidRequestError,
    );
    assertEquals([error.errcode, error.status], ["M_NOT_JSON", 400]);
    assertEquals(error.message, "Error reading request");
  });
}

Deno.test("readBody() leaves no deadline behind", async () => {
  const options = limits();
  await readBody(post("{}"), options);
  await readBody(post("{}", { "content-length": "2" }), options);
  assertEquals(options.clock.pending, []);
});

const NO_JSON: { name: string; bytes: Uint8Array }[] = [
  { name: "nothing", bytes: new Uint8Array() },
  { name: "NUL", bytes: new Uint8Array([0]) },
  { name: "a byte-order mark before JSON", bytes: new TextEncoder().encode("\ufeff{}") },
  { name: "bytes that are no UTF-8", bytes: new Uint8Array([0x22, 0xff, 0x22]) },
  { name: "UTF-16", bytes: new Uint8Array([0x7b, 0, 0x7d, 0]) },
  { name: "an overlong encoding", bytes: new Uint8Array([0x22, 0xc0, 0xaf, 0x22]) },
  { name: "a surrogate in UTF-8", bytes: new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]) },
  ...["{", "{}x", "{'a':1}", "{a:1}", "[1,]", "NaN", "01", '"\n"', "undefined", "// {}"].map(
    (text) => ({ name: JSON.stringify(text), bytes: new TextEncoder().encode(text) }),
  ),
];

for (const { name, bytes } of NO_JSON) {
  Deno.test(`parseJson() refuses ${name}`, () => {
    const error = assertThrows(() => parseJson(bytes), InvalidRequestError);
    assertEquals([error.errcode, error.status, error.message], [
      "M_NOT_JSON",
      400,
      "Error reading request",
    ]);
  });
}

Deno.test("parseJson() reads any JSON, nested as deep as a body can be", () => {
  const parse = (text: string) => parseJson(new TextEncoder().encode(text));
  assertEquals(parse(' {"a":[1,"é😀\\u0000"]} \n'), { a: [1, "é😀\0"] });
  assertEquals([parse("null"), parse("1e2"), parse('""')], [null, 100, ""]);
  const depth = MAX_BYTES / 2;
  let value = parse("[".repeat(depth) + "]".repeat(depth));
  for (let i = 1; i < depth; i++) value = (value as unknown[])[0];
  assertEquals(value, []);
});
