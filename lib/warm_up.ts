/**
 * Does the expensive first times before the first user comes. A fresh process
 * that meets a rush of users, after a restart in the middle of a call above
 * all, would otherwise let them wait for code to be loaded and compiled. No
 * other server hears of it.
 */

import { setImmediate } from "node:timers";
import { getLogger } from "@logtape/logtape";
import type { Clock } from "./clock.ts";
import type { Config } from "./config/config.ts";
import { dial } from "./net/dial.ts";
import { secure } from "./net/secure.ts";
import type { TlsTrust } from "./net/tls_trust.ts";
import { createService } from "./service.ts";

/** The parts that have their first time. */
export interface WarmUpOptions {
  readonly config: Config;
  readonly trust: TlsTrust;
  readonly clock: Clock;
}

/** Enough for the compiler to notice what is hot; more would only cost memory. */
const EXCHANGES = 200;
/** After so many the event loop gets its turn, so that real requests do not wait. */
const EXCHANGES_AT_ONCE = 10;

/** Warms up TLS, then the handler. */
export async function warmUp(options: WarmUpOptions): Promise<void> {
  await warmUpTls(options);
  await warmUpHandler(options);
}

// The first handshake reads the trusted certificates. It needs no other side: a socket that says
// nothing will do.
async function warmUpTls({ trust, clock }: WarmUpOptions): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const lookup = () => Promise.resolve([]);
  const endpoint = { host: "127.0.0.1", port: listener.addr.port };
  const socket = await dial(endpoint, { lookup, policy: undefined, clock });
  const securing = secure(socket, "warm-up.invalid", {
    trust,
    insecureSkipVerifyTls: false,
    clock,
  });
  const other = await listener.accept();
  other.close();
  await securing.catch(() => {});
}

async function warmUpHandler({ config, clock }: WarmUpOptions): Promise<void> {
  const serverName = "warm-up.invalid";
  const answer = new TextEncoder().encode(JSON.stringify({ sub: `@user:${serverName}` }));
  const handle = createService(
    { ...config, fullAccess: [serverName], homeservers: { blocked: [] } },
    // Nobody listens to this category.
    getLogger(["warm-up"]),
    {
      clock,
      client: {
        request: () => Promise.resolve({ status: 200, headers: {}, body: answer }),
        close: () => Promise.resolve(),
      },
      lookupSrv: () => Promise.resolve([]),
      random: () => 0,
    },
  );
  for (let i = 0; i < EXCHANGES; i++) {
    const body = JSON.stringify({
      room_id: `!warm-up-${i}`,
      slot_id: "m.call#ROOM",
      openid_token: { access_token: `${i}`, matrix_server_name: serverName, expires_in: 3600 },
      member: {
        id: `${i}`,
        claimed_user_id: `@user:${serverName}`,
        claimed_device_id: "DEVICE",
      },
    });
    const headers = { "content-type": "application/json", "content-length": `${body.length}` };
    const request = new Request("http://localhost/get_token", { method: "POST", headers, body });
    await (await handle(request)).text();
    if (i % EXCHANGES_AT_ONCE === 0) await new Promise<void>((next) => setImmediate(next));
  }
}
