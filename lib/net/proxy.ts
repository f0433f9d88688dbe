/** Proxies for requests to the outside: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`. */

import { Buffer } from "node:buffer";
import type net from "node:net";
import ipaddr from "ipaddr.js";
import type { Clock } from "../clock.ts";
import { UpstreamError } from "../matrix/errors.ts";
import { outsideText } from "../outside_text.ts";
import type { Secret } from "../secret.ts";
import { formatAddress } from "./dial.ts";
import type { Endpoint } from "./http_client.ts";

/** The operator's word on proxies. */
export interface ProxySettings {
  /** URLs, which may hold a user name and a password. */
  readonly https?: Secret;
  readonly http?: Secret;
  /** Entries of `NO_PROXY`: hosts, domains, CIDRs, `*`; each perhaps with a port. */
  readonly except: readonly string[];
}

const CONNECT_TIMEOUT_MS = 5_000;
const MAX_HEADER_BYTES = 8 * 1024;

/**
 * Finds the proxy for an endpoint, by the rules of curl and Go: `NO_PROXY`
 * entries match whole domains and all below them, and the own host is never
 * reached through a proxy.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Secret } from "../secret.ts";
 * import { chooseProxy } from "./proxy.ts";
 *
 * const settings = { https: new Secret("http://proxy:3128"), except: [".example.org"] };
 * const proxyFor = (host: string) => chooseProxy("https", { host, port: 443 }, settings)?.host;
 * assertEquals(proxyFor("matrix.org"), "proxy:3128");
 * assertEquals(proxyFor("sfu.example.org"), undefined);
 * assertEquals(proxyFor("127.0.0.1"), undefined);
 * ```
 *
 * @returns The proxy's URL, or `undefined` for a direct connection.
 */
export function chooseProxy(
  protocol: "http" | "https",
  endpoint: Endpoint,
  settings: ProxySettings,
): URL | undefined {
  const proxy = settings[protocol];
  if (proxy === undefined || isOwnHost(endpoint.host)) return undefined;
  if (settings.except.some((entry) => isExcepted(endpoint, entry))) return undefined;
  return new URL(proxy.reveal());
}

/**
 * Asks a proxy for a connection to an endpoint (`CONNECT`, RFC 9110 §9.3.6).
 *
 * @param socket Connected to the proxy; TLS where the proxy's URL says so.
 * @returns The same socket, now connected to the endpoint, paused.
 * @throws {UpstreamError} `tcp` when the proxy refuses or stays silent; the socket is closed then.
 */
export function connectThroughProxy(
  socket: net.Socket,
  proxy: URL,
  endpoint: Endpoint,
  clock: Clock,
): Promise<net.Socket> {
  const authority = formatAddress(endpoint.host, endpoint.port);
  return new Promise((resolve, reject) => {
    let head = "";
    const end = () => {
      cancelTimeout();
      socket.off("data", onData).off("error", onError).off("close", onClose);
      socket.pause();
    };
    const fail = (reason: string) => {
      end();
      socket.on("error", () => {});
      socket.destroy();
      reject(
        new UpstreamError("tcp", `the proxy ${proxy.host} gives no way to ${authority}: ${reason}`),
      );
    };
    const onError = (error: Error) => fail(outsideText(error.message));
    const onClose = () => fail("it closed the connection");
    const onData = (chunk: Buffer) => {
      head += chunk.toString("latin1");
      if (head.length > MAX_HEADER_BYTES) return fail("its answer is too long");
      if (!head.includes("\r\n\r\n")) return;
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1];
      if (status?.startsWith("2") !== true) return fail(`it says ${status ?? "no HTTP"}`);
      end();
      resolve(socket);
    };
    const cancelTimeout = clock.after(
      CONNECT_TIMEOUT_MS,
      () => fail(`no answer in ${CONNECT_TIMEOUT_MS / 1000} s`),
    );
    socket.on("data", onData).on("error", onError).on("close", onClose);
    socket.write(
      `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${credentialsOf(proxy)}\r\n`,
    );
    socket.resume();
  });
}

function credentialsOf({ username, password }: URL): string {
  if (username === "") return "";
  const credentials = `${decode(username)}:${decode(password)}`;
  return `Proxy-Authorization: Basic ${Buffer.from(credentials).toString("base64")}\r\n`;
}

/** Passwords hold a bare `%` at times; what cannot be decoded was not encoded. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isOwnHost(host: string): boolean {
  if (host === "localhost" || host.endsWith(".localhost")) return true;
  return ipaddr.isValid(host) && ipaddr.process(host).range() === "loopback";
}

function isExcepted({ host, port }: Endpoint, entry: string): boolean {
  if (entry === "*") return true;
  if (ipaddr.isValid(host)) return isInNetwork(host, entry);
  const [, name = "", entryPort] = /^\*?(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
  if (name === "" || (entryPort !== undefined && Number(entryPort) !== port)) return false;
  const lower = host.toLowerCase();
  const domain = name.replace(/^\./, "");
  return lower.endsWith(`.${domain}`) || (lower === domain && !name.startsWith("."));
}

function isInNetwork(address: string, entry: string): boolean {
  const parsed = ipaddr.process(address);
  if (ipaddr.isValidCIDR(entry)) {
    const [base, bits] = ipaddr.parseCIDR(entry);
    return base.kind() === parsed.kind() && parsed.match(base, bits);
  }
  const host = entry.replace(/^\[(.*)\](?::\d+)?$/, "$1");
  return ipaddr.isValid(host) && ipaddr.process(host).toString() === parsed.toString();
}
