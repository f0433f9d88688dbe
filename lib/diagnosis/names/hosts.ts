/** Which hosts are involved, and for whom. */

import { endpointOfUrl } from "../../net/target.ts";
import type { DoctorContext } from "../context.ts";

/** A host and port that somebody has to reach. */
export interface Host {
  /** A name, or an IP literal without brackets. */
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** For people: what is there. */
  readonly roles: readonly string[];
  /** Whether clients have to reach it, so that it should be public. */
  readonly isForClients: boolean;
  /** Whether this service itself has to reach it. */
  readonly isForService: boolean;
}

type Use = { readonly url: string; readonly role: string; readonly for: "clients" | "service" };

/** Hosts that the configuration and the command line name; nobody is asked. */
export function namedHosts(context: DoctorContext): Host[] {
  const { config, serverNames, publicUrl } = context;
  const { url, apiUrl } = config.liveKit;
  const isOwn = (name: string) => serverNames.includes(name);
  return merge([
    ...serverNames.map((name): Use => ({
      url: `https://${name}`,
      role: "server name",
      for: "clients",
    })),
    { url: url.replace(/^ws/i, "http"), role: "LIVEKIT_URL", for: "clients" },
    { url: apiUrl, role: "LiveKit's API", for: "service" },
    ...publicUrl === undefined
      ? []
      : [{ url: publicUrl, role: "this service", for: "clients" } as const],
    ...[...config.csApiUrlOverrides].filter(([name]) => isOwn(name)).map(([, url]): Use => ({
      url,
      role: "client API (override)",
      for: "service",
    })),
    ...[...config.federationUrlOverrides].filter(([name]) => isOwn(name)).map(([, url]): Use => ({
      url,
      role: "federation API (override)",
      for: "service",
    })),
  ]);
}

/**
 * Hosts that only discovery tells of: client APIs and, where nobody named it, this service.
 *
 * @returns Those that are not {@linkcode namedHosts} already.
 */
export async function discoveredHosts(context: DoctorContext): Promise<Host[]> {
  const { facts, serverNames } = context;
  const uses: Use[] = [];
  for (const serverName of serverNames) {
    const { baseUrl } = await facts.wellKnownClient(serverName);
    if (baseUrl !== undefined) uses.push({ url: baseUrl, role: "client API", for: "clients" });
  }
  const service = await facts.ownService();
  if (service !== undefined) {
    uses.push({ url: service.url, role: "this service", for: "clients" });
  }
  const known = new Set(namedHosts(context).map(({ host, port }) => `${host}|${port}`));
  return merge(uses).filter(({ host, port }) => !known.has(`${host}|${port}`));
}

function merge(uses: readonly Use[]): Host[] {
  const hosts = new Map<string, Host>();
  for (const use of uses) {
    const url = URL.parse(use.url);
    if (url === null || !/^https?:$/.test(url.protocol)) continue;
    const { host, port } = endpointOfUrl(url);
    const before = hosts.get(`${host}|${port}`);
    hosts.set(`${host}|${port}`, {
      host,
      port,
      isTls: url.protocol === "https:" || (before?.isTls ?? false),
      roles: [...new Set([...before?.roles ?? [], use.role])],
      isForClients: use.for === "clients" || (before?.isForClients ?? false),
      isForService: use.for === "service" || (before?.isForService ?? false),
    });
  }
  return [...hosts.values()];
}
