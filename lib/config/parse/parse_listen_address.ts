import ipaddr from "ipaddr.js";
import type { ListenAddress } from "../config.ts";
import { InvalidValueError } from "./invalid_value.ts";

/** The kernel keeps 108 bytes for a socket's path, the last of them zero. */
const MAX_SOCKET_PATH_BYTES = 107;

/**
 * Parses `:8080`, `host:8080`, `[::1]:8080` or `unix:/run/x.sock`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseListenAddress } from "./parse_listen_address.ts";
 *
 * assertEquals(parseListenAddress(":8080"), { kind: "tcp", port: 8080 });
 * assertEquals(parseListenAddress("[::1]:0"), { kind: "tcp", hostname: "::1", port: 0 });
 * assertEquals(parseListenAddress("unix:/run/a.sock"), { kind: "unix", path: "/run/a.sock" });
 * ```
 */
export function parseListenAddress(text: string): ListenAddress {
  return text.startsWith("unix:") ? parseSocketPath(text.slice("unix:".length)) : parseTcp(text);
}

/**
 * Parses the address of a listener that may be `off`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseOptionalListenAddress } from "./parse_listen_address.ts";
 *
 * assertEquals(parseOptionalListenAddress("off"), undefined);
 * ```
 */
export function parseOptionalListenAddress(text: string): ListenAddress | undefined {
  return text.toLowerCase() === "off" ? undefined : parseListenAddress(text);
}

function parseSocketPath(text: string): ListenAddress {
  // `unix:///run/x` is how other programs write it.
  const path = text.replace(/^\/{2,}/, "/");
  if (!path.startsWith("/")) throw new InvalidValueError("a socket needs an absolute path");
  // deno-lint-ignore no-control-regex -- control characters are what must not be in it
  if (path.endsWith("/") || /[\x00-\x1f\x7f]/.test(path)) {
    throw new InvalidValueError("this is no path of a file");
  }
  if (new TextEncoder().encode(path).length > MAX_SOCKET_PATH_BYTES) {
    throw new InvalidValueError(`a socket's path has at most ${MAX_SOCKET_PATH_BYTES} bytes`);
  }
  return { kind: "unix", path };
}

function parseTcp(text: string): ListenAddress {
  const colon = text.lastIndexOf(":");
  if (/^[0-9]+$/.test(text)) throw new InvalidValueError("a port alone needs a colon before it");
  if (colon < 0) throw new InvalidValueError("it has no port");
  const port = parsePort(text.slice(colon + 1));
  const host = text.slice(0, colon);
  if (host === "") return { kind: "tcp", port };
  return { kind: "tcp", hostname: parseHost(host), port };
}

function parsePort(text: string): number {
  if (!/^[0-9]{1,5}$/.test(text) || Number(text) > 65535) {
    throw new InvalidValueError("the port is not a number up to 65535");
  }
  return Number(text);
}

function parseHost(host: string): string {
  const bracketed = /^\[([0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?)\]$/.exec(host)?.[1];
  if (bracketed !== undefined && ipaddr.IPv6.isValid(bracketed)) return bracketed;
  if (host.includes(":")) throw new InvalidValueError("an IPv6 address needs brackets around it");
  if (/^[0-9.]+$/.test(host)) {
    if (!ipaddr.IPv4.isValidFourPartDecimal(host)) {
      throw new InvalidValueError("the host is no IPv4 address");
    }
  } else if (!/^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})$/.test(host)) {
    throw new InvalidValueError("the host is neither an address nor a name");
  }
  return host;
}
