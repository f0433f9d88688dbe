/** One HTTP exchange under way: collects the answer, within its bounds. */

import type { Dispatcher } from "undici";
import { UpstreamError } from "../matrix/errors.ts";
import { outsideText } from "../outside_text.ts";
import type { HttpRequest, HttpResponse, HttpTarget } from "./http_client.ts";

/** What undici reports when the server ended a kept-alive connection that we were about to use. */
const DEAD_CONNECTION_CODES = ["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"];

/** The connection was dead before anything of the answer came: another one may do. */
export class DeadConnectionError extends UpstreamError {}

/**
 * Hears from undici how an exchange goes on, and settles the promise of whoever
 * waits for it. That happens at the deadline at the latest, while undici may
 * still be busy with it: {@linkcode Exchange.onReleased} tells when it no longer is.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  /** Calls the deadline off. */
  cancelDeadline = () => {};
  /** When it was sent, in the terms of the clock's `monotonic`. */
  waitingSince = 0;
  /** Called once undici has let go of the connection. */
  onReleased = () => {};
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #headers: HttpResponse["headers"] = {};
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #failure: UpstreamError | undefined;

  constructor(
    readonly target: HttpTarget,
    readonly request: HttpRequest,
    readonly resolve: (response: HttpResponse) => void,
    readonly reject: (error: UpstreamError) => void,
  ) {}

  /** Whether it has failed already, so that sending it would be for nobody. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Ends the exchange: its time is over. */
  expire(timeoutMs: number): void {
    const seconds = (timeoutMs / 1000).toFixed(1);
    const progress = this.#status === 0 ? "no answer" : "no end of the answer";
    this.fail(new UpstreamError("http", `${progress} from ${this.#name} in ${seconds} s`));
  }

  /** Ends the exchange. Only the first reason counts. */
  fail(error: UpstreamError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.cancelDeadline();
    this.#controller?.abort(error);
    this.reject(error);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // The deadline passed while the request was waiting for a connection.
    if (this.#failure !== undefined) controller.abort(this.#failure);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = statusCode;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    const { maxBodyBytes } = this.request;
    this.#bytes += chunk.length;
    if (this.#bytes > maxBodyBytes) {
      const message = `the answer of ${this.#name} is larger than ${maxBodyBytes} bytes`;
      this.fail(new UpstreamError("http", message));
    } else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.cancelDeadline();
    this.resolve({ status: this.#status, headers: this.#headers, body: join(this.#chunks) });
    this.onReleased();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(this.#describe(error));
    this.onReleased();
  }

  get #name(): string {
    return this.target.hostHeader;
  }

  #describe(error: Error & { code?: unknown }): UpstreamError {
    if (error instanceof UpstreamError) return error;
    const message = `no answer from ${this.#name}: ${outsideText(error.message)}`;
    const isDead = this.#status === 0 && DEAD_CONNECTION_CODES.includes(String(error.code));
    return isDead
      ? new DeadConnectionError("http", message, { cause: error })
      : new UpstreamError("http", message, { cause: error });
  }
}

// Most answers come whole. Some come byte by byte, so joining as they come would be quadratic.
function join(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  const joined = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}
