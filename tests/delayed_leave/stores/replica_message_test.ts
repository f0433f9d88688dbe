import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseReplicaMessage } from "../../../lib/delayed_leave/stores/replica_message.ts";

const EVENT = { kind: "left", room: "r", identity: "i", sid: "PA_1", reason: "UNKNOWN_REASON" };

const good: unknown[] = [
  { kind: "came", from: "a" },
  { kind: "gone", from: "a" },
  { kind: "lost", from: "a", to: "b", fields: ['["r","i"]'] },
  { kind: "event", from: "a", event: EVENT },
  { kind: "event", from: "a", event: { kind: "joined", room: "r", identity: "i", reason: "x" } },
];
for (const message of good) {
  Deno.test(`parseReplicaMessage() reads ${JSON.stringify(message)}`, () => {
    assertEquals(parseReplicaMessage(JSON.stringify(message)) as unknown, message);
  });
}

const bad: unknown[] = [
  null,
  [],
  "came",
  { kind: "came" },
  { kind: "came", from: "" },
  { kind: "came", from: "x".repeat(1_025) },
  { kind: "lost", from: "a", to: "b", fields: "all" },
  { kind: "lost", from: "a", fields: [] },
  { kind: "event", from: "a" },
  ...["kind", "room", "identity", "reason"].map((name) => ({
    kind: "event",
    from: "a",
    event: { ...EVENT, [name]: 1 },
  })),
  { kind: "event", from: "a", event: { ...EVENT, room: "x".repeat(1_025) } },
  { kind: "event", from: "a", event: { ...EVENT, kind: "came" } },
];
for (const message of bad) {
  const text = JSON.stringify(message);
  Deno.test(`parseReplicaMessage() drops ${text.slice(0, 80)}`, () => {
    assertEquals(parseReplicaMessage(text), undefined);
  });
}

Deno.test("parseReplicaMessage() drops what is too long to be one, and all that is no text of fields", () => {
  const long = JSON.stringify({ kind: "came", from: "a", more: "x".repeat(4 * 1024 * 1024) });
  assertEquals(parseReplicaMessage(long), undefined);
  const odd = { kind: "lost", from: "a", to: "b", fields: ["x", 1, null, {}] };
  assertEquals(parseReplicaMessage(JSON.stringify(odd)), { ...odd, fields: ["x"], kind: "lost" });
});

Deno.test("parseReplicaMessage() throws at nothing", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
    parseReplicaMessage(text);
  }));
});
