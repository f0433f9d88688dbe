import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseSfuEvent } from "../../lib/sfu/sfu_event.ts";

const parse = (value: unknown) => parseSfuEvent(new TextEncoder().encode(JSON.stringify(value)));

const LEFT = { event: "participant_left", room: { name: "call" } };
const ALICE = { sid: "PA_1", identity: "alice" };

for (
  const { name, disconnectReason, reads } of [
    { name: "a name", disconnectReason: "CLIENT_INITIATED", reads: "CLIENT_INITIATED" },
    { name: "a number", disconnectReason: 14, reads: "CONNECTION_TIMEOUT" },
    { name: "nothing", disconnectReason: undefined, reads: "UNKNOWN_REASON" },
    { name: "null", disconnectReason: null, reads: "UNKNOWN_REASON" },
    { name: "a later name", disconnectReason: "LATER_REASON", reads: "LATER_REASON" },
    { name: "a later number", disconnectReason: 99, reads: "UNKNOWN_REASON" },
    { name: "a negative number", disconnectReason: -1, reads: "UNKNOWN_REASON" },
    { name: "a fraction", disconnectReason: 0.5, reads: "UNKNOWN_REASON" },
    { name: "a digit as text", disconnectReason: "1", reads: "UNKNOWN_REASON" },
    { name: "a text for no log", disconnectReason: "A\n\u001b[31m", reads: "UNKNOWN_REASON" },
    { name: "a long text", disconnectReason: "A".repeat(65), reads: "UNKNOWN_REASON" },
    { name: "an object", disconnectReason: {}, reads: "UNKNOWN_REASON" },
  ]
) {
  Deno.test(`parseSfuEvent() reads ${name} as ${reads}`, () => {
    const event = parse({ ...LEFT, participant: { ...ALICE, disconnectReason } });
    assertEquals(event.disconnectReason, reads);
  });
}

Deno.test("parseSfuEvent() takes protobuf's other spelling of a field", () => {
  const participant = { ...ALICE, disconnect_reason: "MIGRATION" };
  assertEquals(parse({ ...LEFT, participant }).disconnectReason, "MIGRATION");
});

Deno.test("parseSfuEvent() reads what the join token has attached", () => {
  const attributes = { "io.matrixrtc-auth.member": "sealed", other: "text" };
  const participant = { ...ALICE, attributes };
  const event = parse({ event: "participant_joined", room: { name: "call" }, participant });
  assertEquals(event.participant, { identity: "alice", sid: "PA_1", attributes });
  assertEquals(parse({ participant: { ...ALICE, attributes: {} } }).participant, {
    identity: "alice",
    sid: "PA_1",
  });
});

for (
  const { createdAt, reads } of [
    { createdAt: "1700000000", reads: 1_700_000_000 },
    { createdAt: 1_700_000_000, reads: 1_700_000_000 },
    { createdAt: 0, reads: undefined },
    { createdAt: -1, reads: undefined },
    { createdAt: "yesterday", reads: undefined },
    { createdAt: "1".repeat(400), reads: undefined },
    { createdAt: null, reads: undefined },
    { createdAt: {}, reads: undefined },
  ]
) {
  Deno.test(`parseSfuEvent() reads ${JSON.stringify(createdAt).slice(0, 20)} as ${reads} for a time`, () => {
    assertEquals(parse({ ...LEFT, createdAt }).createdAt, reads);
    assertEquals(parse({ ...LEFT, created_at: createdAt }).createdAt, reads);
  });
}

for (
  const { name, value, expected } of [
    { name: "an egress", value: { event: "egress_started", egressInfo: { roomName: "call" } } },
    { name: "an empty room", value: { event: "egress_started", room: {} } },
    { name: "a room and participant of null", value: { room: null, participant: null } },
    { name: "a room and participant of text", value: { room: "call", participant: "alice" } },
    { name: "a participant without identity", value: { participant: { sid: "PA_1" } } },
    { name: "an empty identity", value: { participant: { ...ALICE, identity: "" } } },
    { name: "an event that is a number", value: { event: 1 } },
    { name: "a list", value: [LEFT] },
    {
      name: "a participant without SID",
      value: { participant: { identity: "alice" } },
      expected: { participant: { identity: "alice" } },
    },
    {
      name: "a name that is not ASCII",
      value: { event: "room_started", room: { name: "é😀" } },
      expected: { room: "é😀" },
    },
  ] as { name: string; value: { event?: unknown }; expected?: object }[]
) {
  Deno.test(`parseSfuEvent() bears ${name}`, () => {
    assertEquals(parse(value), {
      event: typeof value.event === "string" ? value.event : "",
      room: undefined,
      disconnectReason: "UNKNOWN_REASON",
      ...expected,
    });
  });
}

Deno.test("parseSfuEvent() bears any bytes and any JSON", () => {
  const types = (bytes: Uint8Array) => {
    const { event, room, participant, disconnectReason } = parseSfuEvent(bytes);
    assertEquals(typeof event, "string");
    assertEquals(["string", "undefined"].includes(typeof room), true);
    assertEquals(["string", "undefined"].includes(typeof participant?.identity), true);
    assertEquals(typeof disconnectReason, "string");
  };
  fc.assert(fc.property(fc.uint8Array(), types));
  const value = fc.record({
    event: fc.jsonValue(),
    room: fc.oneof(fc.jsonValue(), fc.record({ name: fc.jsonValue() })),
    participant: fc.record({
      identity: fc.jsonValue(),
      disconnectReason: fc.jsonValue(),
      attributes: fc.jsonValue(),
    }),
  }, { requiredKeys: [] });
  fc.assert(fc.property(value, (value) => {
    types(new TextEncoder().encode(JSON.stringify(value)));
  }));
});
