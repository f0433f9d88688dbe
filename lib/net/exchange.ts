/** One HTTP exchange under way: collects the answer, within its bounds. */

import type { Dispatcher } from "undici";
import { UpstreamError } from "../matrix/errors.ts";
import type { HttpRequest, HttpResponse, HttpTarget } from "./http_client.ts";

/** What undici reports when the server ended a kept-alive connection that we were about to use. */
const DEAD_CONNECTION_CODES = ["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"];
const NOTHING = new Uint8Array();

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
  /** Called once undici has let go of the connection. */
  onReleased = () => {};
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #headers: HttpResponse["headers"] = {};
  #body: Uint8Array = NOTHING;
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
    if (this.#body.length + chunk.length > maxBodyBytes) {
      const message = `the answer of ${this.#name} is larger than ${maxBodyBytes} bytes`;
      this.fail(new UpstreamError("http", message));
    } else this.#body = this.#body.length === 0 ? chunk : join(this.#body, chunk);
  }

  onResponseEnd(): void {
    this.cancelDeadline();
    this.resolve({ status: this.#status, headers: this.#headers, body: this.#body });
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
    const message = `no answer from ${this.#name}: ${error.message}`;
    const isDead = this.#status === 0 && DEAD_CONNECTION_CODES.includes(String(error.code));
    return isDead
      ? new DeadConnectionError("http", message, { cause: error })
      : new UpstreamError("http", message, { cause: error });
  }
}

// Answers are small and come whole; those that do not are bounded, so joining as they come is fine.
function join(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const joined = new Uint8Array(head.length + tail.length);
  joined.set(head);
  joined.set(tail, head.length);
  return joined;
}
