import { Secret } from "../../secret.ts";
import { InvalidValueError, type ParseContext } from "./invalid_value.ts";
import { parseSecret } from "./parse_secret.ts";
import { checkUrl } from "./parse_url.ts";

/** What the URL of a Redis server says. */
export interface RedisAddress {
  /** A host, IPv6 without brackets, or the path of a Unix socket. */
  readonly place:
    | { readonly host: string; readonly port: number; readonly tls: boolean }
    | { readonly path: string };
  /** The number of the database, 0 unless given. */
  readonly database: number;
  readonly user?: string;
  readonly password?: Secret;
}

const DEFAULT_PORT = 6379;
const MAX_DATABASE = 2 ** 31 - 1;
/** Without a host; Valkey's own names beside those of Redis. */
const UNIX_SCHEMES = /^(?:unix|(?:redis|valkey)\+unix):\/\//i;

/**
 * Parses the URL of a Redis server, secret because it may hold the password.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { parseRedisUrl } from "./parse_redis_url.ts";
 *
 * const context = { warn: () => {}, readFile: () => "" };
 * assertEquals(parseRedisUrl("redis://cache/1", context).reveal(), "redis://cache/1");
 * assertThrows(() => parseRedisUrl("cache:6379", context), Error);
 * ```
 */
export function parseRedisUrl(text: string, context: ParseContext): Secret {
  const { ignored } = read(text);
  if (ignored.length > 0) {
    const names = ignored.map((name) => name.slice(0, 40)).join(", ");
    context.warn(`has parameters that are ignored: ${names}`);
  }
  return parseSecret(text, context);
}

/**
 * Reads what {@linkcode parseRedisUrl} has accepted.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readRedisUrl } from "./parse_redis_url.ts";
 *
 * assertEquals(readRedisUrl("rediss://me@cache/1"), {
 *   place: { host: "cache", port: 6379, tls: true },
 *   database: 1,
 *   user: "me",
 * });
 * assertEquals(readRedisUrl("unix:///run/redis.sock?db=2"), {
 *   place: { path: "/run/redis.sock" },
 *   database: 2,
 * });
 * ```
 *
 * @throws {InvalidValueError} For anything else.
 */
export function readRedisUrl(text: string): RedisAddress {
  return read(text).address;
}

function read(text: string): { address: RedisAddress; ignored: string[] } {
  // A bare path is what users of the client library write.
  if (text.startsWith("/")) return readUnix(`unix://${text}`);
  return UNIX_SCHEMES.test(text) ? readUnix(text) : readTcp(text);
}

function readTcp(text: string) {
  const url = checkUrl(text, ["redis", "rediss", "valkey", "valkeys"], {
    userInfo: true,
    query: true,
  });
  if (!/^\/?[0-9]*$/.test(url.pathname)) {
    throw new InvalidValueError("its path is not the number of a database");
  }
  const tls = url.protocol === "rediss:" || url.protocol === "valkeys:";
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = url.port === "" ? DEFAULT_PORT : Number(url.port);
  if (port === 0) throw new InvalidValueError("its port is 0");
  return complete(url, { host, port, tls }, url.pathname.slice(1));
}

function readUnix(text: string) {
  if (/[\s\\\p{Cc}]/u.test(text)) {
    throw new InvalidValueError("a URL holds no blanks, backslashes or control characters");
  }
  if (text.includes("#")) throw new InvalidValueError("it holds a fragment");
  const [, userInfo = "", path, query = ""] =
    /^[^:]+:\/\/(?:([^/?]*)@)?(\/[^?]+)(\?.*)?$/.exec(text) ?? [];
  if (path === undefined) throw new InvalidValueError("it has no path of a socket");
  // The parts of it that are not a path are read as those of any URL.
  const url = `redis://${userInfo}@host/${query}`;
  if (!URL.canParse(url)) throw new InvalidValueError("it is not a valid URL");
  return complete(new URL(url), { path: decode(path) }, "");
}

function complete(url: URL, place: RedisAddress["place"], numberInPath: string) {
  const query = new URLSearchParams(url.search);
  const number = query.get("db") ?? numberInPath;
  if (!/^[0-9]*$/.test(number) || Number(number) > MAX_DATABASE) {
    throw new InvalidValueError("its db is not the number of a database");
  }
  const user = decode(url.username);
  const password = decode(url.password);
  const address: RedisAddress = {
    place,
    database: Number(number),
    ...(user !== "" && { user }),
    ...(password !== "" && { password: new Secret(password) }),
  };
  return { address, ignored: [...query.keys()].filter((name) => name !== "db") };
}

/** Passwords hold a bare `%` at times; what cannot be decoded was not encoded. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
