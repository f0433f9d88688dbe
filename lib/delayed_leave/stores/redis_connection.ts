/** One connection to Redis, without any life of its own: who uses it opens the next one. */

import net from "node:net";
import type { Redis, RedisOptions } from "ioredis";
import type { Clock } from "../../clock.ts";
import type { RedisAddress } from "../../config/parse/parse_redis_url.ts";
import { withDeadline } from "../../deadline.ts";
import { UpstreamError } from "../../matrix/errors.ts";
import { type AddressLookup, dial, formatAddress } from "../../net/dial.ts";
import { secure } from "../../net/secure.ts";
import type { TlsTrust } from "../../net/tls_trust.ts";
import type { Secret } from "../../secret.ts";
import { RedisRefusal, refusalOf } from "./redis_refusal.ts";
import { StoreError } from "../store.ts";

/** What a connection needs. */
export interface RedisConnectionOptions {
  readonly address: RedisAddress;
  /** In place of the address's own. */
  readonly password?: Secret;
  readonly lookup: AddressLookup;
  readonly trust: TlsTrust;
  readonly insecureSkipVerifyTls: boolean;
  readonly clock: Clock;
  /** How long the answer to a command may take; milliseconds. */
  readonly commandMs: number;
  /** How long it may take to get as far as the first command; milliseconds. */
  readonly connectMs: number;
}

/** A connection that has logged in and chosen its database. */
export interface RedisConnection {
  /**
   * Sends a command; the order of calls is the order in which Redis does them.
   *
   * @throws {RedisRefusal} When Redis answers with an error.
   * @throws {StoreError} When there is no answer in time: it may be done nevertheless.
   */
  call(command: string, ...args: readonly (string | number)[]): Promise<unknown>;
  /** From now on, messages of a channel are heard, and no other commands possible but PING. */
  subscribe(channel: string, listener: (message: string) => void): Promise<void>;
  /** Whether it is gone. */
  readonly isClosed: boolean;
  /** Resolves when it is gone, whoever ended it. */
  readonly closed: Promise<void>;
  /** When Redis last answered; milliseconds of the monotonic clock. */
  readonly answeredAt: number;
  close(): void;
}

/** Nothing is done by itself, and nothing waits in queues that nobody sees. */
const PASSIVE: RedisOptions = {
  lazyConnect: true,
  retryStrategy: () => null,
  enableOfflineQueue: false,
  enableReadyCheck: false,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  // It would send CLIENT, which not every server has and not every user may.
  disableClientInfo: true,
  maxRetriesPerRequest: null,
};

/** Names a server as messages do: host and port, or the socket's path. */
export function placeOf({ place }: RedisAddress): string {
  return "path" in place ? place.path : formatAddress(place.host, place.port);
}

/**
 * Opens a connection.
 *
 * @throws {StoreError} Naming the server, what failed and what to do.
 */
export async function openRedis(options: RedisConnectionOptions): Promise<RedisConnection> {
  const { address, clock, connectMs } = options;
  const place = placeOf(address);
  let open: net.Socket | undefined;
  let isLate = false;
  const connecting = connectSocket(options).then((socket) => {
    open = socket;
    if (isLate) socket.destroy();
    return socket;
  });
  const late = () => {
    isLate = true;
    open?.destroy();
    return new StoreError(
      "tcp",
      `Redis at ${place} cannot be connected to in ${connectMs / 1000} s: check the address, ` +
        "firewalls between here and there, and that the server is running",
    );
  };
  const startedAt = clock.monotonic();
  const socket = await withDeadline(connecting, connectMs, clock, late);
  const connection = await speak(socket, place, options);
  // A server that takes connections and does not answer is no better than one that does not.
  const left = Math.max(connectMs - (clock.monotonic() - startedAt), 1);
  try {
    await withDeadline(logIn(connection, options), left, clock, () => silence(place, connectMs));
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

async function connectSocket(options: RedisConnectionOptions): Promise<net.Socket> {
  const { place } = options.address;
  if ("path" in place) return await connectUnix(place.path);
  try {
    // The operator has named the server: no address of it is refused.
    const socket = await dial(place, { ...options, policy: undefined });
    return place.tls ? await secure(socket, place.host, options) : socket;
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    const where = placeOf(options.address);
    const advice = error.hop === "tls"
      ? "is it a port with TLS, and is its authority in MATRIXRTC_CA_FILE?"
      : "check LIVEKIT_REDIS_URL and that the server is running";
    throw new StoreError(error.hop, `Redis at ${where}: ${error.message}; ${advice}`);
  }
}

function connectUnix(path: string): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path });
    const onError = (error: Error & { code?: unknown }) => {
      const reason = typeof error.code === "string" ? error.code : error.message;
      const advice = "check LIVEKIT_REDIS_URL, the socket's permissions, and that the server runs";
      reject(new StoreError("tcp", `Redis at ${path}: cannot connect (${reason}); ${advice}`));
    };
    socket.once("error", onError);
    socket.once("connect", () => {
      socket.off("error", onError);
      resolve(socket);
    });
  });
}

/** Puts the protocol on a connected socket. */
async function speak(
  socket: net.Socket,
  place: string,
  { clock, commandMs }: RedisConnectionOptions,
): Promise<RedisConnection> {
  // Before the client has its own: an error without a listener would end the process.
  socket.on("error", () => {});
  // Loaded by those who use it only: it costs every start 18 MiB.
  const { Redis: Client, ReplyError } = await import("ioredis");
  const client: Redis = new Client({ ...PASSIVE, Connector: connectorFor(socket) });
  // Each call gets its error too. What comes without a call says no more than `end` does.
  client.on("error", () => {});
  let isClosed = false;
  let answeredAt = clock.monotonic();
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  client.once("end", () => {
    isClosed = true;
    resolve();
  });

  async function ask(command: string, answer: Promise<unknown>): Promise<unknown> {
    try {
      const late = () => silence(place, commandMs);
      const reply = await withDeadline(answer, commandMs, clock, late);
      answeredAt = clock.monotonic();
      return reply;
    } catch (error) {
      if (error instanceof StoreError) throw error;
      // The client's own errors hold arguments, so none of them goes further.
      // Nor are they told apart by name: bundling changes it.
      if (error instanceof ReplyError) {
        answeredAt = clock.monotonic();
        throw refusalOf(place, command, (error as Error).message);
      }
      throw error instanceof Error && "offset" in error
        ? new StoreError(
          "answer",
          `${place} does not speak Redis's protocol: is TLS on both sides?`,
        )
        : new StoreError("tcp", `the connection to Redis at ${place} has broken`);
    }
  }

  try {
    await client.connect();
  } catch {
    socket.destroy();
    throw new StoreError("tcp", `Redis at ${place} closed the connection at once`);
  }
  return {
    call: (command, ...args) => ask(command, client.call(command, ...args)),
    async subscribe(channel, listener) {
      client.on("message", (_, message) => listener(message));
      await ask("SUBSCRIBE", client.subscribe(channel));
    },
    get isClosed() {
      return isClosed;
    },
    closed,
    get answeredAt() {
      return answeredAt;
    },
    close() {
      client.disconnect();
      // Not the polite way, which waits for what is on its way to a server that may be frozen.
      socket.destroy();
    },
  };
}

async function logIn(
  connection: RedisConnection,
  { address, password = address.password }: RedisConnectionOptions,
): Promise<void> {
  const { user, database } = address;
  if (user !== undefined || password !== undefined) {
    const credentials = [...(user === undefined ? [] : [user]), password?.reveal() ?? ""];
    try {
      await connection.call("AUTH", ...credentials);
    } catch (error) {
      // Given a password that it does not have, Redis says ERR and serves nevertheless.
      if (!(error instanceof RedisRefusal && error.code === "ERR")) throw error;
    }
  }
  if (database !== 0) await connection.call("SELECT", database);
  await connection.call("PING");
}

/** Hands a socket that is connected already to the client, once. */
function connectorFor(socket: net.Socket): NonNullable<RedisOptions["Connector"]> {
  class Connector {
    connect = () => Promise.resolve(socket);
    disconnect = () => socket.destroy();
    check = () => true;
  }
  // The client asks for its own class, of which it uses these three.
  return Connector as unknown as NonNullable<RedisOptions["Connector"]>;
}

function silence(place: string, ms: number): StoreError {
  return new StoreError(
    "tcp",
    `Redis at ${place} has not answered for ${ms / 1000} s: check LIVEKIT_REDIS_URL, and that ` +
      "nothing keeps the server busy",
  );
}
