import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { readSignal } from "../../../lib/diagnosis/livekit/signal_message.ts";
import { readFields } from "../../../lib/diagnosis/livekit/protobuf.ts";

const UTF_8 = new TextEncoder();

/** A field of bytes; a message is its fields one after the other. */
function field(number: number, content: string | number[]): number[] {
  const bytes = typeof content === "string" ? [...UTF_8.encode(content)] : content;
  return [...varint(number * 8 + 2), ...varint(bytes.length), ...bytes];
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [value % 128 + 128, ...varint(Math.floor(value / 128))];
}

Deno.test("readSignal() takes version and ICE servers out of a join reply, and no credentials", () => {
  const server = [...field(1, "turn:t:3478"), ...field(1, "turns:t:443"), ...field(3, "hunter2")];
  const info = [8, 1, ...field(2, "1.13.5")];
  const join = [...field(4, "1.0.0"), ...field(5, server), ...field(12, info)];
  assertEquals(readSignal(Uint8Array.from(field(1, join))), {
    kind: "join",
    version: "1.13.5",
    iceServers: ["turn:t:3478", "turns:t:443"],
  });
});

Deno.test("readSignal() reads an older server's version", () => {
  const signal = readSignal(Uint8Array.from(field(1, field(4, "1.0.0"))));
  assertEquals(signal, { kind: "join", version: "1.0.0", iceServers: [] });
});

Deno.test("readSignal() reads candidates from offers and as they trickle in", () => {
  const line = "candidate:1 1 udp 2130706431 203.0.113.7 50001 typ host";
  const found = { transport: "udp", address: "203.0.113.7", port: 50001, type: "host" } as const;
  const sdp = `v=0\r\na=${line}\r\na=${
    line.replace(" 1 udp", " 2 udp")
  }\r\na=end-of-candidates\r\n`;
  assertEquals(readSignal(Uint8Array.from(field(3, field(2, sdp)))), {
    kind: "candidates",
    candidates: [found],
    isLast: true,
  });
  const trickle = (candidate: string) =>
    readSignal(Uint8Array.from(field(4, field(1, JSON.stringify({ candidate })))));
  assertEquals(trickle(line), { kind: "candidates", candidates: [found], isLast: false });
  assertEquals(trickle(""), { kind: "candidates", candidates: [], isLast: true });
});

Deno.test("readSignal() passes over all else", () => {
  assertEquals(readSignal(Uint8Array.from(field(5, "x"))).kind, "other");
  assertEquals(readSignal(Uint8Array.from(field(8, "x"))).kind, "leave");
});

Deno.test("readFields() throws nothing but RangeError, and never hangs", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
    try {
      readFields(bytes);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }));
  assertThrows(() => readFields(Uint8Array.of(0x0a, 5, 1)), RangeError, "cut off");
});
