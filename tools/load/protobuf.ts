/** As much of protobuf as the SFU stand-in needs for services that do not speak JSON with it. */

/** A field of a message: a string, a number that is not negative, or a message. */
export type ProtobufField = readonly [number: number, value: string | number | Uint8Array];

const VARINT = 0, LENGTH_DELIMITED = 2;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Writes a message.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readStrings, writeMessage } from "./protobuf.ts";
 *
 * assertEquals(readStrings(writeMessage([[1, "room"], [3, 300], [2, "name"]])), {
 *   1: "room",
 *   2: "name",
 * });
 * ```
 *
 * @param fields In the order in which they are to stand.
 */
export function writeMessage(fields: Iterable<ProtobufField>): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  for (const [number, value] of fields) {
    if (typeof value === "number") {
      writeVarint(bytes, number << 3 | VARINT);
      writeVarint(bytes, value);
    } else {
      const content = typeof value === "string" ? encoder.encode(value) : value;
      writeVarint(bytes, number << 3 | LENGTH_DELIMITED);
      writeVarint(bytes, content.length);
      for (const byte of content) bytes.push(byte);
    }
  }
  return new Uint8Array(bytes);
}

/**
 * Reads the strings of a message; of a repeated one the last.
 *
 * @param message A message of strings, numbers and messages.
 * @returns Strings by field number.
 * @throws {TypeError} When a field is of another kind.
 */
export function readStrings(message: Uint8Array): Record<number, string> {
  const strings: Record<number, string> = {};
  let at = 0;
  const readVarint = () => {
    let value = 0;
    for (let factor = 1;; factor *= 128) {
      const byte = message[at++];
      if (byte === undefined) throw new TypeError("The message ends within a field");
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = readVarint();
    const kind = tag & 7;
    const value = readVarint();
    if (kind === VARINT) continue;
    if (kind !== LENGTH_DELIMITED) throw new TypeError(`Cannot read a field of kind ${kind}`);
    strings[tag >> 3] = decoder.decode(message.subarray(at, at + value));
    at += value;
  }
  return strings;
}

function writeVarint(bytes: number[], value: number): void {
  while (value >= 128) {
    bytes.push(value % 128 | 128);
    value = Math.floor(value / 128);
  }
  bytes.push(value);
}
