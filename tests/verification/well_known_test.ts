import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { fetchDelegation, maxAgeMs } from "../../lib/verification/well_known.ts";
import { failureOf, hopOf } from "../net/fixtures.ts";
import { createManualClock } from "../support/manual_clock.ts";
import { type Answer, createFakeClient, delegation } from "./fixtures.ts";

const PATH = "/.well-known/matrix/server";
const HOUR_MS = 3_600_000;

async function fetchFrom(web: Record<string, Answer>, host = "example.org") {
  const client = createFakeClient((what) => web[what]);
  const clock = createManualClock();
  const found = await fetchDelegation(host, { client, clock, mayBePrivate: false });
  return { ...found, calls: client.calls };
}

function redirect(location: string, status = 302): Answer {
  return { status, headers: { location } };
}

for (const name of ["matrix.example.org", "matrix.example.org:443", "1.2.3.4", "[::1]:8448", "a"]) {
  Deno.test(`fetchDelegation() reads ${name}`, async () => {
    const { serverName, maxAgeMs, calls } = await fetchFrom({
      [`example.org${PATH}`]: delegation(name),
    });
    assertEquals([serverName, maxAgeMs], [name, 24 * HOUR_MS]);
    const { endpoints, protocol, tlsName, mayBePrivate } = calls[0]!.target;
    assertEquals(endpoints, [{ host: "example.org", port: 443 }]);
    assertEquals([protocol, tlsName, mayBePrivate], ["https", "example.org", false]);
  });
}

Deno.test("fetchDelegation() does not care for the type and for other fields", async () => {
  const { serverName } = await fetchFrom({
    [`example.org${PATH}`]: {
      headers: { "content-type": "text/html" },
      body: ' {"other":{},"m.server":"a.example"}\n',
    },
  });
  assertEquals(serverName, "a.example");
});

Deno.test("fetchDelegation() tells of a redirect without its query, and not whole", async () => {
  const path = `/${"x".repeat(300)}`;
  const error = await failureOf(fetchFrom({
    [`example.org${PATH}`]: redirect(`https://a.example${path}?token=secret`),
    [`a.example${path}?token=secret`]: { status: 404 },
  }));
  assertMatch(error.message, /^https:\/\/a\.example\/x{182}…: HTTP 404$/);
});

const refused: Record<string, Answer> = {
  "404": { status: 404, body: '{"m.server":"a.example"}' },
  "500": { status: 500 },
  "204": { status: 204 },
  "201": { status: 201, body: '{"m.server":"a.example"}' },
  "nothing": {},
  "HTML": { body: "<!doctype html><title>Welcome</title>" },
  "null": { body: "null" },
  "a string": { body: '"m.server"' },
  "a list": { body: '["m.server","a.example"]' },
  "no m.server": { body: "{}" },
  "a number": delegation(8448),
  "null in it": delegation(null),
  "an object in it": delegation({ host: "a.example" }),
  "an empty name": delegation(""),
  "a URL": delegation("https://a.example"),
  "a path": delegation("a.example/path"),
  "user info": delegation("user@a.example"),
  "a blank": delegation(" a.example"),
  "CRLF": delegation("a.example\r\nHost: b.example"),
  "port 0": delegation("a.example:0"),
  "a port too high": delegation("a.example:65536"),
  "an odd spelling of an address": delegation("127.1"),
  "300 characters": delegation("a.".repeat(150)),
  "deep nesting": { body: "[".repeat(60_000) },
  "a redirect without a place to go": { status: 302 },
  "two places to go": {
    status: 302,
    headers: { location: ["https://a.example", "https://b.example"] },
  },
};
for (const [what, answer] of Object.entries(refused)) {
  Deno.test(`fetchDelegation() finds none in ${what}`, async () => {
    const [hop, message] = await hopOf(fetchFrom({ [`example.org${PATH}`]: answer }));
    assertEquals(hop, "answer");
    assert(message.startsWith(`https://example.org${PATH}: `), message);
  });
}

Deno.test("fetchDelegation() finds none of a name that is none to DNS", async () => {
  const [hop, message] = await hopOf(fetchFrom({}, "xn--a.example"));
  assertEquals([hop, message], ["dns", `https://xn--a.example${PATH} is no URL`]);
});

for (const status of [301, 302, 303, 307, 308]) {
  Deno.test(`fetchDelegation() follows ${status}, to other hosts and ports too`, async () => {
    const { serverName, calls } = await fetchFrom({
      [`example.org${PATH}`]: redirect("https://www.example.org:4443/a?b#c", status),
      "www.example.org:4443/a?b": redirect("/d", status),
      "www.example.org:4443/d": redirect("//[2a01::1]/e", status),
      "[2a01::1]/e": delegation("a.example"),
    });
    assertEquals(serverName, "a.example");
    assertEquals(calls.map(({ target }) => [target.endpoints[0], target.tlsName]), [
      [{ host: "example.org", port: 443 }, "example.org"],
      [{ host: "www.example.org", port: 4443 }, "www.example.org"],
      [{ host: "www.example.org", port: 4443 }, "www.example.org"],
      [{ host: "2a01::1", port: 443 }, "2a01::1"],
    ]);
  });
}

for (
  const location of [
    "http://example.org/",
    "ftp://example.org/",
    "file:///etc/passwd",
    "data:application/json,{}",
    "javascript:alert(1)",
    "https://user:password@example.org/",
    "https://",
    "https://a b/",
    "https://example.org:99999/",
  ]
) {
  Deno.test(`fetchDelegation() goes nowhere near ${location}`, async () => {
    const client = createFakeClient(() => redirect(location));
    const options = { client, clock: createManualClock(), mayBePrivate: false };
    const [hop, message] = await hopOf(fetchDelegation("example.org", options));
    assertEquals([hop, client.calls.length], ["answer", 1]);
    assertMatch(message, /redirects to something other than an https URL/);
    assertEquals(message.includes("password"), false);
  });
}

Deno.test("fetchDelegation() follows five redirects, not six, and no loop for ever", async () => {
  const web: Record<string, Answer> = { [`example.org${PATH}`]: redirect("/1") };
  for (let i = 1; i < 5; i++) web[`example.org/${i}`] = redirect(`/${i + 1}`);
  web["example.org/5"] = delegation("a.example");
  assertEquals((await fetchFrom(web)).calls.length, 6);
  web["example.org/5"] = redirect("/6");
  web["example.org/6"] = delegation("a.example");
  assertMatch((await failureOf(fetchFrom(web))).message, /redirects more than 5 times/);
  const client = createFakeClient(() => redirect(PATH));
  const options = { client, clock: createManualClock(), mayBePrivate: false };
  assertEquals((await hopOf(fetchDelegation("example.org", options)))[0], "answer");
  assertEquals(client.calls.length, 6);
});

Deno.test("fetchDelegation() has 5 s for all redirects together, whatever the time of day", async () => {
  const clock = createManualClock();
  const client = createFakeClient(() => {
    clock.setNow(0);
    clock.advance(1_500);
    return redirect("/again");
  });
  const options = { client, clock, mayBePrivate: true };
  const [hop, message] = await hopOf(fetchDelegation("example.org", options));
  assertEquals([hop, message], ["http", "no end of redirects from example.org"]);
  assertEquals(client.calls.map(({ timeoutMs }) => timeoutMs), [5_000, 3_500, 2_000, 500]);
  assertEquals(client.calls.map(({ target }) => target.mayBePrivate), Array(4).fill(true));
});

const now = Date.UTC(2026, 0, 1);
const ages: [Record<string, string | string[]>, number][] = [
  [{}, 24 * HOUR_MS],
  [{ "cache-control": "max-age=60" }, 60_000],
  [{ "cache-control": "max-age=0" }, 0],
  [{ "cache-control": "MAX-AGE = 60" }, 60_000],
  [{ "cache-control": 'max-age="60"' }, 60_000],
  [{ "cache-control": "public,max-age=60,must-revalidate" }, 60_000],
  [{ "cache-control": ["public", "max-age=60"] }, 60_000],
  [{ "cache-control": "s-maxage=60" }, 24 * HOUR_MS],
  [{ "cache-control": "x-max-age=60" }, 24 * HOUR_MS],
  [{ "cache-control": "s-maxage=5, max-age=60" }, 60_000],
  [{ "cache-control": "max-age=172800" }, 48 * HOUR_MS],
  [{ "cache-control": "max-age=172801" }, 48 * HOUR_MS],
  [{ "cache-control": `max-age=${"9".repeat(400)}` }, 48 * HOUR_MS],
  [{ "cache-control": "max-age=-1" }, 0],
  [{ "cache-control": "max-age=soon" }, 0],
  [{ "cache-control": "max-age=" }, 0],
  [{ "cache-control": "no-store" }, 0],
  [{ "cache-control": "no-cache, max-age=60" }, 0],
  [{ "cache-control": 'no-cache="set-cookie", max-age=60' }, 0],
  [{ "cache-control": "max-age=60, NO-STORE" }, 0],
  [{ "cache-control": "no-transform" }, 24 * HOUR_MS],
  [{ "cache-control": "" }, 24 * HOUR_MS],
  [{ expires: "Thu, 01 Jan 2026 01:00:00 GMT" }, HOUR_MS],
  [{ expires: "Thu, 01 Jan 2026 00:00:00 GMT" }, 0],
  [{ expires: "Wed, 31 Dec 2025 00:00:00 GMT" }, 0],
  [{ expires: "Thu, 01 Jan 1970 00:00:00 GMT" }, 0],
  [{ expires: "Fri, 01 Jan 2027 00:00:00 GMT" }, 48 * HOUR_MS],
  [{ expires: "0" }, 0],
  [{ expires: "-1" }, 0],
  [{ expires: "" }, 0],
  [{ expires: "never" }, 0],
  [{ expires: ["Thu, 01 Jan 2026 01:00:00 GMT", "0"] }, HOUR_MS],
  [{ "cache-control": "max-age=60", expires: "0" }, 60_000],
];
for (const [headers, expected] of ages) {
  Deno.test(`maxAgeMs() reads ${JSON.stringify(headers).slice(0, 80)}`, () => {
    assertEquals(maxAgeMs(headers, now), expected);
  });
}

Deno.test("maxAgeMs() stays within 0 and 48 h for any headers", () => {
  const value = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string().map((text) => `max-age=${text}`),
    fc.integer().map((seconds) => `private, max-age=${seconds}`),
    fc.date().map((date) => String(date)),
    fc.array(fc.string(), { maxLength: 3 }),
    fc.constant(undefined),
  );
  const anyTime = fc.integer({ min: 0, max: 1e13 });
  fc.assert(
    fc.property(value, value, anyTime, (cacheControl, expires, now) => {
      const ms = maxAgeMs({ "cache-control": cacheControl, expires }, now);
      assert(ms >= 0 && ms <= 48 * HOUR_MS, `${ms}`);
    }),
    { numRuns: 300 },
  );
});
