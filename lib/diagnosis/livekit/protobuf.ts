/** As much of protobuf's wire format as it takes to pick a few texts out of a message. */

/** A message's fields by number: those that are texts, bytes or messages themselves, in order. */
export type ProtobufFields = ReadonlyMap<number, readonly Uint8Array[]>;

const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
const UTF_8 = new TextDecoder();

/**
 * Takes a message apart. Numbers are skipped: nobody here asks for them.
 *
 * LiveKit's own decoder knows every field, and would be a megabyte of JavaScript for three of them.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readFields, textsOf } from "./protobuf.ts";
 *
 * // Field 1: the number 150; field 2: "testing".
 * const message = Uint8Array.fromHex("089601120774657374696e67");
 * assertEquals(textsOf(readFields(message), 2), ["testing"]);
 * assertEquals(textsOf(readFields(message), 1), []);
 * ```
 *
 * @throws {RangeError} For bytes that are no such message.
 */
export function readFields(message: Uint8Array): ProtobufFields {
  const fields = new Map<number, Uint8Array[]>();
  let at = 0;

  function readVarint(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = message[at++];
      if (byte === undefined) throw new RangeError("a protobuf message ends within a number");
      // Not by shifting: that would cut at 32 bits.
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a number in a protobuf message has no end");
  }

  function take(length: number): Uint8Array {
    if (at + length > message.length) throw new RangeError("a protobuf message is cut off");
    const bytes = message.subarray(at, at + length);
    at += length;
    return bytes;
  }

  while (at < message.length) {
    const tag = readVarint();
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case WIRE.varint:
        readVarint();
        break;
      case WIRE.fixed64:
        take(8);
        break;
      case WIRE.fixed32:
        take(4);
        break;
      case WIRE.bytes: {
        const bytes = take(readVarint());
        fields.set(number, [...fields.get(number) ?? [], bytes]);
        break;
      }
      default:
        throw new RangeError("a protobuf message has a field of an unknown kind");
    }
  }
  return fields;
}

/** The texts of a field, in order. */
export function textsOf(fields: ProtobufFields, number: number): string[] {
  return (fields.get(number) ?? []).map((bytes) => UTF_8.decode(bytes));
}

/** The messages of a field, in order. */
export function messagesOf(fields: ProtobufFields, number: number): ProtobufFields[] {
  return (fields.get(number) ?? []).map(readFields);
}
