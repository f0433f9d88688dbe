/** The two connections of a replica to Redis: for commands, and for what the others tell. */

import type { Clock } from "../../clock.ts";
import {
  openRedis,
  type RedisConnection,
  type RedisConnectionOptions,
} from "./redis_connection.ts";

/** How the connections are kept. */
export interface RedisLinkOptions extends RedisConnectionOptions {
  readonly clock: Clock;
  /** How long Redis may be silent before a new connection is tried; milliseconds. */
  readonly silenceMs: number;
  /** Told when one of them is gone that nobody here has closed. */
  readonly onBroken: (which: "commands" | "messages") => void;
}

/** Opens connections as they are needed. */
export class RedisLink {
  readonly #options: RedisLinkOptions;
  #commands: RedisConnection | undefined;
  #messages: RedisConnection | undefined;
  #isClosed = false;

  constructor(options: RedisLinkOptions) {
    this.#options = options;
  }

  /** The connection for commands, as far as there is one that works. */
  get commands(): RedisConnection | undefined {
    return this.#commands?.isClosed === false ? this.#commands : undefined;
  }

  /** Whether messages of the others arrive. */
  get isListening(): boolean {
    return this.#messages?.isClosed === false;
  }

  /**
   * Gives a connection for commands, a new one if need be.
   *
   * One that only timed out is kept for a while: what a frozen Redis has
   * received it will do when it wakes, and on one connection in order.
   *
   * @throws {StoreError}
   */
  async openCommands(): Promise<{ connection: RedisConnection; isNew: boolean }> {
    const { clock, silenceMs } = this.#options;
    const known = this.commands;
    if (known !== undefined) {
      if (clock.monotonic() - known.answeredAt < silenceMs) {
        return { connection: known, isNew: false };
      }
      this.dropCommands();
    }
    const connection = await this.#open();
    this.#commands = connection;
    this.#watch(connection, "commands");
    return { connection, isNew: true };
  }

  /**
   * Sees to it that messages arrive.
   *
   * @returns Whether some may have been missed before.
   * @throws {StoreError}
   */
  async listen(channel: string, onMessage: (text: string) => void): Promise<boolean> {
    if (this.isListening) {
      try {
        await this.#messages!.call("PING");
        return false;
      } catch {
        // Half open, or as slow as if it were.
        this.dropMessages();
      }
    }
    const connection = await this.#open();
    try {
      await connection.subscribe(channel, onMessage);
    } catch (error) {
      connection.close();
      throw error;
    }
    this.#messages = connection;
    this.#watch(connection, "messages");
    return true;
  }

  async #open(): Promise<RedisConnection> {
    const connection = await openRedis(this.#options);
    // All may have been closed while it was being opened.
    if (this.#isClosed) connection.close();
    return connection;
  }

  #watch(connection: RedisConnection, which: "commands" | "messages"): void {
    connection.closed.then(() => {
      const known = which === "commands" ? this.#commands : this.#messages;
      if (connection === known && !this.#isClosed) this.#options.onBroken(which);
    });
  }

  /** Gives up the connection for commands; the next one may reach another server. */
  dropCommands(): void {
    const connection = this.#commands;
    this.#commands = undefined;
    connection?.close();
  }

  /** No longer listens. */
  dropMessages(): void {
    const connection = this.#messages;
    this.#messages = undefined;
    connection?.close();
  }

  /** Closes both, and those that are being opened. */
  close(): void {
    this.#isClosed = true;
    this.dropCommands();
    this.dropMessages();
  }
}
