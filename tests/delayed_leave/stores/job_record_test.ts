import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { type Job, jobKey } from "../../../lib/delayed_leave/job.ts";
import {
  formatJobRecord,
  isExpired,
  jobField,
  MAX_RECORD_FIELD_LENGTH,
  notInFuture,
  parseJobRecord,
} from "../../../lib/delayed_leave/stores/job_record.ts";
import { Secret } from "../../../lib/secret.ts";
import type { LiveKitIdentity, LiveKitRoom } from "../../../lib/signing/names.ts";
import { createJob, plain } from "../support/store_suite.ts";

const RESTARTED_AT = Date.UTC(2026, 6, 23, 7, 28, 51, 123);

/** What lk-jwt-service has written, with something else in places. */
function goRecord(params: Record<string, unknown> = {}, rest: Record<string, unknown> = {}) {
  return JSON.stringify({
    Params: {
      DelayId: "syd_delay",
      DelayTimeout: 10_000_000_000,
      ServerName: "example.org",
      LiveKitRoom: "room",
      LiveKitIdentity: "identity",
      ...params,
    },
    RestartedAt: "2026-07-23T09:28:51.123456789+02:00",
    ...rest,
  });
}

Deno.test("parseJobRecord() reads what lk-jwt-service writes", () => {
  const stored = parseJobRecord(goRecord());
  assert(stored !== undefined);
  assertEquals(plain(stored), {
    room: "room" as LiveKitRoom,
    identity: "identity" as LiveKitIdentity,
    delayId: "syd_delay",
    delayTimeoutMs: 10_000,
    serverName: "example.org",
    restartedAt: RESTARTED_AT,
    wasConnected: false,
  });
});

Deno.test("parseJobRecord() reads our own fields, and takes others' use of them for nothing", () => {
  const ours = parseJobRecord(
    goRecord({}, {
      Connected: true,
      UserId: "@a:example.org",
      OtherIdentity: "other",
      ThroughHomeserver: true,
      More: {},
    }),
  );
  assert(ours !== undefined);
  assertEquals(
    [ours.wasConnected, ours.job.userId, ours.job.otherIdentity, ours.job.isThroughHomeserver],
    [true, "@a:example.org", "other" as LiveKitIdentity, true],
  );
  const others = parseJobRecord(
    goRecord({ More: 1 }, {
      Connected: "yes",
      UserId: 7,
      OtherIdentity: "",
      ThroughHomeserver: 1,
    }),
  );
  assert(others !== undefined);
  assertEquals(others.wasConnected, false);
  for (const name of ["userId", "otherIdentity", "isThroughHomeserver"]) {
    assertEquals(name in others.job, false, name);
  }
  const not = parseJobRecord(goRecord({}, { ThroughHomeserver: false }));
  assertEquals([not !== undefined, not?.job.isThroughHomeserver], [true, undefined]);
});

const TIMES = [
  { text: "2026-07-23T07:28:51Z", ms: RESTARTED_AT - 123 },
  { text: "2026-07-23T07:28:51.1Z", ms: RESTARTED_AT - 23 },
  { text: "2026-07-23T07:28:51.1239999Z", ms: RESTARTED_AT },
  { text: "2026-07-23T07:28:51.123999999+00:00", ms: RESTARTED_AT },
  { text: "2026-07-23T13:13:51.123+05:45", ms: RESTARTED_AT },
  { text: "2026-07-22T17:28:51.123-14:00", ms: RESTARTED_AT },
  // What Go writes for a time that was never set.
  { text: "0001-01-01T00:00:00Z", ms: -62_135_596_800_000 },
];
for (const { text, ms } of TIMES) {
  Deno.test(`parseJobRecord() reads the time ${text}`, () => {
    assertEquals(parseJobRecord(goRecord({}, { RestartedAt: text }))?.restartedAt, ms);
  });
}

const DELAYS = [
  { nanoseconds: 3_600_000_000_000, ms: 3_600_000 },
  { nanoseconds: 1_999_999, ms: 1 },
  { nanoseconds: 1, ms: 1 },
  { nanoseconds: 0.5, ms: 1 },
  { nanoseconds: 86_400_000_000_000, ms: 86_400_000 },
  { nanoseconds: 86_400_000_000_001, ms: 86_400_000 },
  { nanoseconds: 2 ** 53 + 2, ms: 86_400_000 },
  { nanoseconds: 9_223_372_036_854_775_807, ms: 86_400_000 },
  { nanoseconds: 1e300, ms: 86_400_000 },
];
for (const { nanoseconds, ms } of DELAYS) {
  Deno.test(`parseJobRecord() takes a delay of ${nanoseconds} ns for ${ms} ms`, () => {
    const stored = parseJobRecord(goRecord({ DelayTimeout: nanoseconds }));
    assertEquals(stored?.job.delayTimeoutMs, ms);
  });
}

const TOO_LONG = "x".repeat(MAX_RECORD_FIELD_LENGTH + 1);
const NOT_UNDERSTOOD = [
  ...["", "{", "null", "1", '"text"', "[]", "{}", '{"Params":null}', '{"Params":[]}'],
  ...[0, -1, "10000000000", null, true].map((DelayTimeout) => goRecord({ DelayTimeout })),
  ...["", null, 1, TOO_LONG].flatMap((value) => [
    goRecord({ DelayId: value }),
    goRecord({ LiveKitRoom: value }),
    goRecord({ LiveKitIdentity: value }),
    goRecord({ ServerName: value }),
  ]),
  ...["example.org/", "http://example.org", "a b", "example.org:99999"].map((ServerName) =>
    goRecord({ ServerName })
  ),
  ...[
    undefined,
    null,
    1_753_255_731,
    "",
    "2026-07-23",
    "2026-07-23T09:28:51",
    "2026-07-23 09:28:51Z",
    "2026-07-23T09:28Z",
    "2026-07-23T09:28:51.Z",
    "2026-07-23T09:28:51.1234567890Z",
    "2026-07-23T09:28:51+0200",
    "2026-07-23T09:28:51+24:00",
    "2026-13-23T09:28:51Z",
    "2026-07-23T25:28:51Z",
    "12026-07-23T09:28:51Z",
    "Thu, 23 Jul 2026 09:28:51 GMT",
  ].map((RestartedAt) => goRecord({}, { RestartedAt })),
  goRecord().slice(0, -1),
  goRecord({}, { More: "x".repeat(64 * 1024) }),
];
Deno.test("parseJobRecord() gives nothing for what it cannot understand", () => {
  for (const text of NOT_UNDERSTOOD) {
    assertEquals(parseJobRecord(text), undefined, text.slice(0, 300));
  }
});

Deno.test("parseJobRecord() survives any text and any JSON", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
    parseJobRecord(text);
  }));
  const record = JSON.parse(goRecord({}, { Connected: true, UserId: "u", OtherIdentity: "o" }));
  const fields = [...Object.keys(record.Params), ...Object.keys(record)];
  fc.assert(fc.property(fc.constantFrom(...fields), fc.jsonValue(), (field, value) => {
    const params = field in record.Params ? { ...record.Params, [field]: value } : record.Params;
    const rest = field in record.Params ? {} : { [field]: value };
    parseJobRecord(JSON.stringify({ ...record, Params: params, ...rest }));
  }));
});

Deno.test("formatJobRecord() writes whole nanoseconds, without an exponent", () => {
  for (const delayTimeoutMs of [1, 1.5, 86_400_000]) {
    const stored = { job: createJob({ delayTimeoutMs }), restartedAt: 0, wasConnected: false };
    const digits = /"DelayTimeout":(\d+),/.exec(formatJobRecord(stored))?.[1];
    assertEquals(digits, String(delayTimeoutMs * 1_000_000));
  }
});

Deno.test("formatJobRecord() writes a time that Go reads", () => {
  for (const restartedAt of [0, RESTARTED_AT, Date.UTC(9999, 11, 31)]) {
    const text = formatJobRecord({ job: createJob(), restartedAt, wasConnected: false });
    const time = JSON.parse(text).RestartedAt;
    assertMatch(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assertEquals(Date.parse(time), restartedAt);
  }
});

const name = fc.string({ unit: "binary", minLength: 1, maxLength: 255 });
const anyJob: fc.Arbitrary<Job> = fc.record({
  room: name,
  identity: name,
  delayId: name.map((text) => new Secret(text)),
  delayTimeoutMs: fc.integer({ min: 1, max: 86_400_000 }),
  serverName: fc.oneof(fc.domain(), fc.ipV4(), fc.domain().map((domain) => `${domain}:8448`)),
  userId: name,
  otherIdentity: name,
}, {
  requiredKeys: ["room", "identity", "delayId", "delayTimeoutMs", "serverName"],
}) as fc.Arbitrary<Job>;

Deno.test("parseJobRecord() reads back whatever formatJobRecord() writes", () => {
  const anyStored = fc.record({
    job: anyJob,
    restartedAt: fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }),
    wasConnected: fc.boolean(),
  });
  fc.assert(fc.property(anyStored, (stored) => {
    const read = parseJobRecord(formatJobRecord(stored));
    assert(read !== undefined);
    assertEquals(plain(read), plain(stored));
  }));
});

Deno.test("parseJobRecord() reads the longest fields that are allowed, whatever they are", () => {
  const longest = "\u0001".repeat(MAX_RECORD_FIELD_LENGTH);
  const job = createJob({
    room: longest as LiveKitRoom,
    identity: longest as LiveKitIdentity,
    otherIdentity: longest as LiveKitIdentity,
    userId: longest,
    delayId: new Secret(longest),
  });
  const stored = { job, restartedAt: RESTARTED_AT, wasConnected: true };
  const read = parseJobRecord(formatJobRecord(stored));
  assert(read !== undefined);
  assertEquals(plain(read), plain(stored));
});

Deno.test("jobField() is the field that Go writes", () => {
  assertEquals(jobField("room", "@a:example.org:D"), '["room","@a:example.org:D"]');
  assertEquals(
    jobField("r", `&<>\u2028\u2029"\\ü🦊\n\u0001`),
    String.raw`["r","\u0026\u003c\u003e\u2028\u2029\"\\ü🦊\n\u0001"]`,
  );
});

Deno.test("jobField() says the same as jobKey(), and tells participants apart", () => {
  const anyName = fc.string({ unit: "binary" });
  fc.assert(fc.property(anyName, anyName, (room, identity) => {
    assertEquals(JSON.parse(jobField(room, identity)), [room, identity]);
    assertEquals(JSON.parse(jobKey(room, identity)), [room, identity]);
  }));
});

Deno.test("isExpired() from the moment at which the homeserver sends", () => {
  const stored = {
    job: createJob({ delayTimeoutMs: 100 }),
    restartedAt: 1_000,
    wasConnected: true,
  };
  assertEquals([1_000, 1_099, 1_100, 9_999].map((now) => isExpired(stored, now)), [
    false,
    false,
    true,
    true,
  ]);
});

Deno.test("notInFuture() takes back what the clock has not reached yet, and nothing else", () => {
  const stored = { job: createJob(), restartedAt: 1_000, wasConnected: true };
  assertEquals(notInFuture(stored, 1_000), stored);
  assertEquals(notInFuture(stored, 999), { ...stored, restartedAt: 999 });
});
