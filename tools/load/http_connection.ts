/** Larger than any answer to a token request. */
const BUFFER_BYTES = 32_768;

/**
 * A kept-alive HTTP/1.1 connection that takes finished requests and looks at answers only as
 * much as it must: what the client spends is not there for the service on a small machine.
 */
export class HttpConnection implements Disposable {
  readonly #connection: Deno.Conn;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #decoder = new TextDecoder("latin1");

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /**
   * Opens a connection.
   *
   * @param port Where on 127.0.0.1.
   */
  static async open(port: number): Promise<HttpConnection> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay(true);
    return new HttpConnection(connection);
  }

  /**
   * Sends one request and reads its answer.
   *
   * @param request Head and body as they go over the wire.
   * @returns The status and the whole answer as text.
   * @throws {Error} When the connection ends first, or the answer has no length.
   */
  async exchange(request: Uint8Array): Promise<{ status: number; text: string }> {
    for (let at = 0; at < request.length;) {
      at += await this.#connection.write(request.subarray(at));
    }
    let text = "";
    let length = Infinity;
    while (text.length < length) {
      const count = await this.#connection.read(this.#buffer);
      if (count === null) throw new Error(`Connection closed within an answer: ${text}`);
      text += this.#decoder.decode(this.#buffer.subarray(0, count));
      if (length !== Infinity) continue;
      const head = text.indexOf("\r\n\r\n");
      if (head === -1) continue;
      const [, bodyLength] = /\r\ncontent-length: *(\d+)/i.exec(text) ?? [];
      if (bodyLength === undefined) throw new Error(`Answer without a length: ${text}`);
      length = head + 4 + Number(bodyLength);
    }
    return { status: Number(text.slice(9, 12)), text };
  }

  /** Closes the connection; an exchange in work fails. */
  [Symbol.dispose](): void {
    try {
      this.#connection.close();
    } catch {
      // Closed already.
    }
  }
}
