/** Largest TLS record, head included: a greeting longer than this is none. */
const MAX_RECORD_BYTES = 5 + 16_384;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME_EXTENSION = 0;

/**
 * Reads as much from a TLS connection as it takes to see the client's greeting.
 *
 * @param connection A connection on which nothing has been read.
 * @returns The bytes read, for whoever goes on with the handshake.
 */
export async function readClientHello(connection: Deno.Conn): Promise<Uint8Array> {
  let bytes = new Uint8Array(0);
  const buffer = new Uint8Array(MAX_RECORD_BYTES);
  while (bytes.length < MAX_RECORD_BYTES) {
    const length = await connection.read(buffer);
    if (length === null) break;
    const longer = new Uint8Array(bytes.length + length);
    longer.set(bytes);
    longer.set(buffer.subarray(0, length), bytes.length);
    bytes = longer;
    if (bytes[0] !== HANDSHAKE) break;
    if (bytes.length >= 5 && bytes.length >= 5 + ((bytes[3]! << 8) | bytes[4]!)) break;
  }
  return bytes;
}

/**
 * Finds the server name (SNI) in a client's greeting, RFC 8446 §4.1.2 and RFC 6066 §3.
 *
 * @param record The first TLS record of a connection.
 * @returns The name, or `null` when the client sent none, as it must not for IP addresses.
 */
export function parseServerName(record: Uint8Array): string | null {
  const reader = new Reader(record);
  if (reader.uint(1) !== HANDSHAKE) return null;
  reader.skip(4);
  if (reader.uint(1) !== CLIENT_HELLO) return null;
  reader.skip(3 + 2 + 32); // length, legacy version, random
  reader.skip(reader.uint(1)); // session ID
  reader.skip(reader.uint(2)); // cipher suites
  reader.skip(reader.uint(1)); // compression methods
  const end = reader.uint(2) + reader.at;
  while (reader.at < end) {
    const type = reader.uint(2);
    const length = reader.uint(2);
    if (type !== SERVER_NAME_EXTENSION) {
      reader.skip(length);
      continue;
    }
    reader.skip(3); // length of the list; kind of the first entry, of which only host_name exists
    return new TextDecoder().decode(reader.bytes(reader.uint(2)));
  }
  return null;
}

/** Reads big-endian numbers; past the end everything is zero and empty, so that garbage ends. */
class Reader {
  at = 0;
  readonly #data: Uint8Array;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  uint(size: number): number {
    return this.bytes(size).reduce((value, byte) => value * 256 + byte, 0);
  }

  bytes(length: number): Uint8Array {
    const part = this.#data.subarray(this.at, this.at + length);
    this.at += length;
    return part;
  }

  skip(length: number): void {
    this.at += length;
  }
}
