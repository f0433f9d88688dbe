/** The connections to one target. */

import "./node_timers.ts";
import type { Pool as UndiciPool } from "undici";
// The whole of undici brings fetch, WebSocket and caches along: 15 MiB that nobody here uses.
// @ts-types="./undici_pool.d.ts"
import Pool from "undici/lib/dispatcher/pool.js";
import type { Socket } from "node:net";
import type { Exchange } from "./exchange.ts";
import type { HttpTarget } from "./http_client.ts";
import { UpstreamError } from "../matrix/errors.ts";

/** Opens the connection for a target, TLS included. */
export type Connect = (target: HttpTarget) => Promise<Socket>;

/** An unused connection ends after this; shorter than the 60 s and more of common servers. */
const KEEP_ALIVE_MS = 30_000;
const MAX_HEADER_BYTES = 16 * 1024;
/**
 * Connections that may be in the making at once. A handshake costs ten times
 * what a request costs: in a rush of requests, those that wait a moment for a
 * connection that is open already are served sooner than those that open one.
 */
const MAX_CONNECTING = 4;

/**
 * A pool of kept-alive connections that grows step by step. Exchanges wait in
 * the order in which they came.
 */
export class TargetPool {
  readonly #target: HttpTarget;
  readonly #pool: UndiciPool;
  readonly #waiting: Exchange[] = [];
  #open = 0;
  #inFlight = 0;
  #onIdle = () => {};

  constructor(target: HttpTarget, connect: Connect) {
    this.#target = target;
    this.#pool = new Pool("http://target.invalid", {
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
    this.#pool.on("connect", () => {
      this.#open++;
      this.#sendNext();
    });
    this.#pool.on("disconnect", () => void this.#open--);
    this.#pool.on("connectionError", (_origin, _targets, error) => this.#onConnectionError(error));
  }

  /** Sends an exchange as soon as there is a connection for it. */
  send(exchange: Exchange): void {
    exchange.onReleased = () => {
      this.#inFlight--;
      this.#sendNext();
    };
    this.#waiting.push(exchange);
    this.#sendNext();
  }

  /** Ends all connections, once every exchange that was sent has ended. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      this.#sendNext();
    });
    await this.#pool.close();
  }

  #sendNext(): void {
    const limit = Math.min(this.#open + MAX_CONNECTING, this.#target.maxConnections);
    while (this.#inFlight < limit) {
      const exchange = this.#waiting.shift();
      if (exchange === undefined) {
        if (this.#inFlight === 0) this.#onIdle();
        return;
      }
      if (exchange.hasFailed) continue;
      this.#inFlight++;
      const { path, method, headers, body } = exchange.request;
      this.#pool.dispatch({
        path,
        method,
        headers: { ...headers, host: this.#target.hostHeader },
        body: body ?? null,
      }, exchange);
    }
  }

  // With no connection at all, those that wait would only find out the same one after the other.
  #onConnectionError(error: Error): void {
    if (this.#open > 0) return;
    const reason = error instanceof UpstreamError ? error : new UpstreamError("tcp", error.message);
    for (const exchange of this.#waiting.splice(0)) exchange.fail(reason);
  }
}
