/** The connections to one target. */

import "./node_timers.ts";
import type { Pool as UndiciPool } from "undici";
// The whole of undici brings fetch, WebSocket and caches along: 15 MiB that nobody here uses.
// @ts-types="./undici_pool.d.ts"
import Pool from "undici/lib/dispatcher/pool.js";
import { setImmediate } from "node:timers";
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import type { Exchange } from "./exchange.ts";
import type { HttpTarget } from "./http_client.ts";
import { UpstreamError } from "../matrix/errors.ts";
import { outsideText } from "../outside_text.ts";

/** Opens the connection for a target, TLS included. */
export type Connect = (target: HttpTarget) => Promise<Socket>;

/** An unused connection ends after this; shorter than the 60 s and more of common servers. */
const KEEP_ALIVE_MS = 30_000;
const MAX_HEADER_BYTES = 16 * 1024;
/**
 * A handshake costs twenty times what a request costs: in a rush of requests,
 * those that wait a moment for a connection that is open already are served
 * sooner than those that open one. So few connections are in the making at once,
 */
const MAX_CONNECTING = 4;
/** and beyond these more are opened only */
const FEW_CONNECTIONS = 32;
/** when an exchange has been waiting this long: the server is slow, not the rush short. */
const LONG_WAIT_MS = 250;

/**
 * A pool of kept-alive connections that grows step by step. Exchanges wait in
 * the order in which they came.
 */
export class TargetPool {
  readonly #target: HttpTarget;
  readonly #clock: Clock;
  readonly #pool: UndiciPool;
  readonly #waiting: Exchange[] = [];
  #open = 0;
  #inFlight = 0;
  /** How many of those in flight are over, but for undici's turn. */
  #releasing = 0;
  #cancelWatch: (() => void) | undefined;
  #onIdle = () => {};
  #closing: Promise<void> | undefined;

  constructor(target: HttpTarget, connect: Connect, clock: Clock) {
    this.#target = target;
    this.#clock = clock;
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
      this.#releasing++;
      queueMicrotask(() => setImmediate(this.#onReleased));
    };
    exchange.waitingSince = this.#clock.monotonic();
    this.#waiting.push(exchange);
    this.#sendNext();
  }

  /** Ends all connections, once every exchange that was sent has ended. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      this.#sendNext();
    });
    await this.#pool.close();
  }

  // undici gives a connection one turn of the event loop to turn out to be closed, and would open
  // another one for what is sent meanwhile. Our turn has to come after its own.
  readonly #onReleased = () => {
    this.#releasing--;
    this.#inFlight--;
    this.#sendNext();
  };

  #limit(): number {
    const growing = Math.min(this.#open + MAX_CONNECTING, this.#target.maxConnections);
    const [oldest] = this.#waiting;
    const isSlow = oldest !== undefined &&
      this.#clock.monotonic() - oldest.waitingSince >= LONG_WAIT_MS;
    return isSlow ? growing : Math.min(growing, Math.max(this.#open, FEW_CONNECTIONS));
  }

  #sendNext(): void {
    // Those that are about to get a connection back need no new one.
    while (this.#waiting.length > this.#releasing && this.#inFlight < this.#limit()) {
      const exchange = this.#waiting.shift()!;
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
    if (this.#waiting.length === 0 && this.#inFlight === 0) this.#onIdle();
    this.#watch();
  }

  /** Looks again when the oldest of those that wait has done so for long. */
  #watch(): void {
    const [oldest] = this.#waiting;
    if (oldest === undefined) {
      this.#cancelWatch?.();
      this.#cancelWatch = undefined;
      return;
    }
    const msLeft = oldest.waitingSince + LONG_WAIT_MS - this.#clock.monotonic();
    if (this.#cancelWatch !== undefined || msLeft <= 0) return;
    this.#cancelWatch = this.#clock.after(msLeft, () => {
      this.#cancelWatch = undefined;
      this.#sendNext();
    });
  }

  // With no connection at all, those that wait would only find out the same one after the other.
  #onConnectionError(error: Error): void {
    if (this.#open > 0) return;
    const reason = error instanceof UpstreamError
      ? error
      : new UpstreamError("tcp", outsideText(error.message));
    for (const exchange of this.#waiting.splice(0)) exchange.fail(reason);
    this.#watch();
  }
}
