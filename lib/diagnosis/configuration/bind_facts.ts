/** Whether the address that the service listens on is free, or its own. */

import type { ListenAddress } from "../../config/config.ts";
import { formatAddress } from "../../net/dial.ts";
import type { Probe } from "../probe.ts";

/** How it stands with one address. */
export type BindState =
  | "free"
  /** Taken, and what listens there answers as the service does. */
  | "ours"
  /** Taken by something else. */
  | "taken"
  /** This host has no such address: IPv6 may be off. */
  | "no-address"
  /** Ports below 1024, usually. */
  | "forbidden"
  /** For a unix socket: the folder is not there. */
  | "no-folder";

/** One address, and how it stands with it. */
export interface BindFact {
  readonly address: string;
  readonly state: BindState;
}

/** Looks at every address that would be listened on. */
export async function findBindFacts(listen: ListenAddress, probe: Probe): Promise<BindFact[]> {
  if (listen.kind === "unix") return [await lookAtSocket(listen.path)];
  const { hostname, port } = listen;
  const hostnames = hostname === undefined ? ["::", "0.0.0.0"] : [hostname];
  const facts: BindFact[] = [];
  for (const name of hostnames) {
    const address = formatAddress(name, port);
    facts.push({ address, state: await stateOf(name, port, probe) });
  }
  return facts;
}

async function stateOf(hostname: string, port: number, probe: Probe): Promise<BindState> {
  try {
    Deno.listen({ hostname, port }).close();
    return "free";
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return "forbidden";
    if (!(error instanceof Deno.errors.AddrInUse)) return "no-address";
  }
  const host = hostname === "::" ? "::1" : hostname === "0.0.0.0" ? "127.0.0.1" : hostname;
  const answer = await probe(`http://${formatAddress(host, port)}/healthz`);
  return answer.answered && answer.status === 200 && answer.text === "" &&
      answer.header("x-request-id").length > 0
    ? "ours"
    : "taken";
}

async function lookAtSocket(path: string): Promise<BindFact> {
  const address = `unix:${path}`;
  const folder = path.replace(/\/[^/]*$/, "") || "/";
  const isFolder = await Deno.stat(folder).then((info) => info.isDirectory, () => false);
  if (!isFolder) return { address, state: "no-folder" };
  const isSocket = await Deno.lstat(path).then((info) => info.isSocket ?? false, () => undefined);
  // A socket of an earlier run is replaced at the start.
  return { address, state: isSocket === false ? "taken" : "free" };
}
