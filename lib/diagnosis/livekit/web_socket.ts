/** A WebSocket client that tells why there is no WebSocket, which the runtime's does not. */

import { createHash, randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { UpstreamError } from "../../matrix/errors.ts";
import type { HttpTarget } from "../../net/http_client.ts";
import type { Connect } from "../../net/target_pool.ts";

/** An answer other than 101, or one that is wrong in itself. */
export interface RefusedUpgrade {
  readonly upgraded: false;
  readonly status: number;
  /** The first bytes of the body; of a web page or a proxy nobody knows what is in them. */
  readonly text: string;
  /** What is wrong although the status is 101. */
  readonly fault?: string;
}

/** A connection that is open. */
export interface OpenWebSocket {
  readonly upgraded: true;
  /** Whole binary messages; ends with the connection. */
  readonly messages: AsyncIterable<Uint8Array>;
  /** Closes it at once. Safe to repeat. */
  close(): void;
}

/** What opening takes. */
export interface UpgradeOptions {
  readonly connect: Connect;
  readonly target: HttpTarget;
  /** Path and query. */
  readonly path: string;
  /** Aborted when the time is over. */
  readonly signal: AbortSignal;
}

const MAX_HEAD_BYTES = 16 * 1024;
const MAX_MESSAGE_BYTES = 1024 * 1024;
/** Of RFC 6455 §1.3. */
const ACCEPT_SALT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const OPCODE = { continuation: 0, binary: 2, close: 8 } as const;

/**
 * Asks for an upgrade.
 *
 * @throws {UpstreamError} When there was no connection, or no whole answer on it.
 */
export async function openWebSocket(
  { connect, target, path, signal }: UpgradeOptions,
): Promise<OpenWebSocket | RefusedUpgrade> {
  const socket = await connect(target);
  const close = () => void socket.destroy();
  signal.addEventListener("abort", close);
  if (signal.aborted) close();
  const reader = new SocketReader(socket);
  let isOpen = false;
  try {
    const key = randomBytes(16).toString("base64");
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${target.hostHeader}\r\nUpgrade: websocket\r\n` +
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
        `Sec-WebSocket-Key: ${key}\r\n\r\n`,
    );
    const head = await reader.readHead();
    if (head === undefined) throw noAnswer(target, signal);
    const [statusLine = "", ...lines] = head.split("\r\n");
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1] ?? NaN);
    if (Number.isNaN(status)) {
      throw new UpstreamError("http", `${target.hostHeader} does not answer in HTTP`);
    }
    if (status !== 101) {
      // Of a body that is empty no piece comes, while the connection may stay open for minutes.
      const isEmpty = lines.some((line) => /^content-length: *0+ *$/i.test(line));
      return { upgraded: false, status, text: isEmpty ? "" : await reader.readSome() };
    }
    const accept = createHash("sha1").update(key + ACCEPT_SALT).digest("base64");
    if (
      !lines.some((line) => line.toLowerCase() === `sec-websocket-accept: ${accept}`.toLowerCase())
    ) {
      const fault = "the answer is not to this request (is there a cache in the proxy?)";
      return { upgraded: false, status, text: "", fault };
    }
    isOpen = true;
    return { upgraded: true, messages: readMessages(reader), close };
  } finally {
    if (!isOpen) close();
  }
}

function noAnswer({ hostHeader }: HttpTarget, signal: AbortSignal): UpstreamError {
  const why = signal.aborted ? "in time" : "before the connection was closed";
  return new UpstreamError("http", `no answer from ${hostHeader} ${why}`);
}

/** Binary messages of RFC 6455 frames; a server's come unmasked. Pings are for who stays longer. */
async function* readMessages(reader: SocketReader): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  while (true) {
    const head = await reader.read(2);
    if (head === undefined) return;
    const opcode = head[0]! & 0x0f;
    const isLast = (head[0]! & 0x80) !== 0;
    const length = await readLength(reader, head[1]! & 0x7f);
    if (length === undefined || length > MAX_MESSAGE_BYTES || opcode === OPCODE.close) return;
    const payload = await reader.read(length);
    if (payload === undefined) return;
    if (opcode !== OPCODE.binary && opcode !== OPCODE.continuation) continue;
    parts.push(payload);
    if (parts.reduce((sum, part) => sum + part.length, 0) > MAX_MESSAGE_BYTES) return;
    if (!isLast) continue;
    yield new Uint8Array(parts.flatMap((part) => [...part]));
    parts = [];
  }
}

async function readLength(reader: SocketReader, short: number): Promise<number | undefined> {
  if (short < 126) return short;
  const bytes = await reader.read(short === 126 ? 2 : 8);
  return bytes?.reduce((value, byte) => value * 256 + byte, 0);
}

/** Reads a socket piece by piece. */
class SocketReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(socket: Socket) {
    // Its errors come out of the iterator; one that comes after its end has nobody else to hear it.
    socket.on("error", () => {});
    this.#chunks = chunksOf(socket);
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#chunks.next();
    if (done) return false;
    const joined = new Uint8Array(this.#rest.length + value.length);
    joined.set(this.#rest);
    joined.set(value, this.#rest.length);
    this.#rest = joined;
    return true;
  }

  /** So many bytes, or nothing where the connection ends before. */
  async read(length: number): Promise<Uint8Array | undefined> {
    while (this.#rest.length < length) if (!await this.#more()) return undefined;
    const bytes = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return bytes;
  }

  /** A head of HTTP without the empty line at its end. */
  async readHead(): Promise<string | undefined> {
    while (true) {
      const text = String.fromCharCode(...this.#rest);
      const end = text.indexOf("\r\n\r\n");
      if (end >= 0) {
        this.#rest = this.#rest.subarray(end + 4);
        return text.slice(0, end);
      }
      if (text.length > MAX_HEAD_BYTES || !await this.#more()) return undefined;
    }
  }

  /** What has come already, or else the next piece. */
  async readSome(): Promise<string> {
    if (this.#rest.length === 0) await this.#more();
    return new TextDecoder().decode(this.#rest.subarray(0, 1024));
  }
}

async function* chunksOf(socket: Socket): AsyncGenerator<Uint8Array, undefined> {
  try {
    for await (const chunk of socket) yield chunk;
  } catch {
    // Reset, or closed by us: the end either way.
  }
  return undefined;
}
