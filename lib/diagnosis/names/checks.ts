/** B: names, connections, certificates, clocks. */

import { isIP } from "node:net";
import { chooseProxy } from "../../net/proxy.ts";
import { formatAddress } from "../../net/dial.ts";
import type { Check, Finding } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import { skip } from "../finding.ts";
import { discoveredHosts, type Host, namedHosts } from "./hosts.ts";
import { type Addresses, judgeAddresses } from "./judge_addresses.ts";
import { judgeClock } from "./judge_clock.ts";
import { type AddressHandshake, judgeHandshakes } from "./judge_handshakes.ts";
import { judgeHairpin } from "./judge_hairpin.ts";

const MAX_ADDRESSES = 8;

/** Both ways to learn of hosts, the second one after asking. */
export async function namesChecks(context: DoctorContext): Promise<Check<DoctorContext>[]> {
  const hosts = [...namedHosts(context), ...await discoveredHosts(context)];
  const names = [...new Map(hosts.map((host) => [host.host, host])).values()];
  return [
    ...names.map((first): Check<DoctorContext> => ({
      id: "B1",
      title: "addresses",
      subject: first.host,
      run: async (context) => {
        const same = hosts.filter(({ host }) => host === first.host);
        const roles = [...new Set(same.flatMap(({ roles }) => roles))];
        const isForClients = same.some((host) => host.isForClients);
        const addresses = await addressesOf(first.host, context);
        return judgeAddresses({ host: first.host, roles, isForClients }, addresses);
      },
    })),
    ...hosts.map((host): Check<DoctorContext> => ({
      id: "B2",
      title: host.isTls ? "connections and certificate" : "connections",
      subject: formatAddress(host.host, host.port),
      run: (context) => checkHost(host, context),
    })),
    {
      id: "B3",
      title: "own public names from inside",
      run: (context) => checkHairpin(hosts, context),
    },
    {
      id: "B4",
      title: "clock",
      subject: "LiveKit",
      run: async ({ probe, config }) => judgeClock(await probe(`${config.liveKit.apiUrl}/`)),
    },
    ...context.serverNames.map((subject): Check<DoctorContext> => ({
      id: "B4",
      title: "clock",
      subject,
      run: async ({ probe, facts }) => {
        const { baseUrl } = await facts.clientApi(subject);
        if (baseUrl === undefined) return skip("where the client API is, is not known (C1)");
        return judgeClock(await probe(`${baseUrl}/_matrix/client/versions`));
      },
    })),
  ];
}

async function checkHost(host: Host, context: DoctorContext): Promise<Finding> {
  const { config, clock } = context;
  if (usesProxy(host, context)) return skip("reached through the outgoing proxy only");
  return judgeHandshakes({
    ...host,
    handshakes: await handshakesOf(host, context),
    now: clock.now(),
    insecureSkipVerifyTls: config.insecureSkipVerifyTls,
  });
}

async function checkHairpin(hosts: readonly Host[], context: DoctorContext): Promise<Finding> {
  const own = hosts.filter((host) => host.isForClients && !usesProxy(host, context));
  const facts = own.map(async (host) => {
    const handshakes = await handshakesOf(host, context);
    const isOpen = handshakes.some(({ handshake }) => handshake.tcpError === undefined);
    return {
      host: formatAddress(host.host, host.port),
      isForService: host.isForService,
      ...handshakes.length > 0 && { isOpen },
    };
  });
  return judgeHairpin(await Promise.all(facts));
}

function usesProxy({ host, port, isTls }: Host, { config }: DoctorContext): boolean {
  const protocol = isTls ? "https" : "http";
  return chooseProxy(protocol, { host, port }, config.outgoingProxy) !== undefined;
}

function addressesOf(host: string, { once, lookup }: DoctorContext): Promise<Addresses> {
  return once(`addresses ${host}`, async () => {
    if (isIP(host) !== 0) return [host];
    try {
      const found = [...new Set(await lookup(host))];
      return found.length > 0 ? found : { error: "no addresses" };
    } catch (error) {
      const { code, message } = error as { code?: unknown; message?: unknown };
      return { error: String(code ?? message) };
    }
  });
}

function handshakesOf(host: Host, context: DoctorContext): Promise<AddressHandshake[]> {
  const { once, shakeHands } = context;
  return once(`handshakes ${host.host} ${host.port}`, async () => {
    const addresses = await addressesOf(host.host, context);
    if ("error" in addresses) return [];
    return await Promise.all(
      addresses.slice(0, MAX_ADDRESSES).map(async (address) => ({
        address,
        handshake: await shakeHands({
          tlsName: host.host,
          address,
          port: host.port,
          isTls: host.isTls,
        }),
      })),
    );
  });
}
