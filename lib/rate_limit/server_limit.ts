/** What users of one server may ask for. */

import type { Clock } from "../clock.ts";
import { parseServerName, type ServerName } from "../matrix/server_name.ts";
import { blockOf, readAddress } from "./address_block.ts";
import { OnceAMinute } from "./once_a_minute.ts";
import { RateLimitedError } from "./rate_limited_error.ts";
import type { WindowCounter } from "./window_counter.ts";

/**
 * Counts a request for a server's user, before the server is asked.
 *
 * @throws {RateLimitedError}
 */
export type ServerLimit = (serverName: string) => void;

/** What the limit needs. */
export interface ServerLimitOptions {
  readonly counter: WindowCounter;
  /** Servers that the operator has named: they are never limited. */
  readonly isExempt: (serverName: string) => boolean;
  readonly clock: Clock;
}

/** Makes the limit. What is no server name is not counted: no server is asked about it. */
export function createServerLimit({ counter, isExempt, clock }: ServerLimitOptions): ServerLimit {
  const logged = new OnceAMinute(clock);
  return (serverName) => {
    if (isExempt(serverName)) return;
    const key = hostKey(serverName);
    if (key === undefined) return;
    const msLeft = counter.take(key, 1);
    if (msLeft > 0) throw new RateLimitedError("server", serverName, logged.isNew(key), msLeft);
  };
}

// One host may go by many names: other letters in upper case, a dot at the end, any port.
function hostKey(serverName: string): string | undefined {
  const parsed = parseServerName(serverName);
  if (parsed === undefined) return undefined;
  if (isThisMachine(parsed)) return serverName;
  const address = parsed.isIpLiteral ? readAddress(parsed.host) : undefined;
  return address === undefined ? parsed.host.toLowerCase().replace(/\.$/, "") : blockOf(address);
}

/** In a laboratory each port is a server of its own; nobody else's servers are here. */
function isThisMachine({ host, isIpLiteral }: ServerName): boolean {
  return isIpLiteral ? host === "::1" || host.startsWith("127.") : host === "localhost";
}
