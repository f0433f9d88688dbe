import type { Clock } from "../clock.ts";
import { dial } from "./dial.ts";
import { secure } from "./secure.ts";
import type { TlsTrust } from "./tls_trust.ts";

/** What a first handshake needs. */
export interface WarmUpOptions {
  readonly trust: TlsTrust;
  readonly clock: Clock;
}

/**
 * Does a TLS handshake before anybody needs one. The first of a process takes
 * 50 ms more than all others: it reads the trusted certificates. After a restart
 * in the middle of a call, all users of the call would wait for that.
 *
 * It needs no other server: a socket of our own that hangs up will do.
 */
export async function warmUpTls({ trust, clock }: WarmUpOptions): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const endpoint = { host: "127.0.0.1", port: listener.addr.port };
  const lookup = () => Promise.resolve([]);
  const socket = await dial(endpoint, { lookup, policy: undefined, clock });
  const options = { trust, insecureSkipVerifyTls: false, clock };
  const handshake = secure(socket, "warm-up.invalid", options);
  const other = await listener.accept();
  other.close();
  await handshake.catch(() => {});
}
