/** The HTTP client, made of undici's connection pools. */

import "./node_timers.ts";
import { LRUCache } from "lru-cache";
import type { Dispatcher, Pool as UndiciPool } from "undici";
// The whole of undici brings fetch, WebSocket and caches along: 15 MiB that nobody here uses.
// @ts-types="./undici_pool.d.ts"
import Pool from "undici/lib/dispatcher/pool.js";
import type { Clock } from "../clock.ts";
import { UpstreamError } from "../matrix/errors.ts";
import type { HttpClient, HttpRequest, HttpResponse, HttpTarget } from "./http_client.ts";

/** Opens the connection for a target, TLS included. */
export type Connect = (target: HttpTarget) => Promise<import("node:net").Socket>;

/** What the client needs. */
export interface UndiciClientOptions {
  readonly connect: Connect;
  readonly clock: Clock;
}

/** Pools in memory; the least recently used one closes first. An idle pool has no sockets. */
const MAX_POOLS = 512;
/** An unused connection ends after this; shorter than the 60 s and more of common servers. */
const KEEP_ALIVE_MS = 30_000;
const MAX_HEADER_BYTES = 16 * 1024;
/** What undici reports when the server ended a kept-alive connection that we were about to use. */
const DEAD_CONNECTION_CODES = ["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"];

/** Makes the client. {@linkcode HttpClient.close} ends what it holds. */
export function createUndiciClient({ connect, clock }: UndiciClientOptions): HttpClient {
  const pools = new LRUCache<string, UndiciPool>({
    max: MAX_POOLS,
    dispose: (pool) => void pool.close(),
  });

  function poolFor(target: HttpTarget): UndiciPool {
    const known = pools.get(target.key);
    if (known !== undefined) return known;
    const pool = new Pool("http://target.invalid", {
      connections: target.maxConnections,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      // Every exchange has a deadline of its own.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (_options, callback) => {
        connect(target).then(
          (socket) => callback(null, socket),
          (error) => callback(error, null),
        );
      },
    });
    pools.set(target.key, pool);
    return pool;
  }

  function exchange(target: HttpTarget, request: HttpRequest, timeoutMs: number) {
    return new Promise<HttpResponse>((resolve, reject) => {
      const exchange = new Exchange(target, request, resolve, reject);
      exchange.cancelDeadline = clock.after(timeoutMs, () => exchange.expire(timeoutMs));
      poolFor(target).dispatch({
        path: request.path,
        method: request.method,
        headers: { ...request.headers, host: target.hostHeader },
        body: request.body ?? null,
      }, exchange);
    });
  }

  return {
    async request(target, request) {
      const startedAt = clock.monotonic();
      try {
        return await exchange(target, request, request.timeoutMs);
      } catch (error) {
        const msLeft = request.timeoutMs - (clock.monotonic() - startedAt);
        if (!(error instanceof DeadConnectionError) || msLeft <= 0) throw error;
        return await exchange(target, request, msLeft);
      }
    },
    async close() {
      const closing = [...pools.values()].map((pool) => pool.close());
      pools.clear();
      await Promise.all(closing);
    },
  };
}

class DeadConnectionError extends UpstreamError {}

/** One request under way: collects the answer, within its bounds. */
class Exchange implements Dispatcher.DispatchHandler {
  cancelDeadline = () => {};
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #headers: HttpResponse["headers"] = {};
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #failure: UpstreamError | undefined;

  constructor(
    readonly target: HttpTarget,
    readonly request: HttpRequest,
    readonly resolve: (response: HttpResponse) => void,
    readonly reject: (error: unknown) => void,
  ) {}

  expire(timeoutMs: number): void {
    const seconds = (timeoutMs / 1000).toFixed(1);
    const progress = this.#status === 0 ? "no answer" : "no end of the answer";
    this.#fail(new UpstreamError("http", `${progress} from ${this.#name} in ${seconds} s`));
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
    this.#bytes += chunk.length;
    if (this.#bytes > this.request.maxBodyBytes) {
      const limit = this.request.maxBodyBytes;
      this.#fail(
        new UpstreamError("http", `the answer of ${this.#name} is larger than ${limit} bytes`),
      );
      return;
    }
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.cancelDeadline();
    this.resolve({ status: this.#status, headers: this.#headers, body: joinChunks(this.#chunks) });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(this.#describe(error));
  }

  get #name(): string {
    return this.target.hostHeader;
  }

  #fail(error: UpstreamError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.cancelDeadline();
    this.#controller?.abort(error);
    this.reject(error);
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

function joinChunks(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  const joined = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    joined.set(chunk, offset);
    offset += chunk.length;
  }
  return joined;
}
