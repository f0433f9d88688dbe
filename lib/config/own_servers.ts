import type { Config } from "./config.ts";

/**
 * Makes the function that tells whether the operator named a server: by full
 * access, an override, or as the homeserver of homeserver mode. `*` names nobody.
 */
export function ownServers(
  { fullAccess, federationUrlOverrides, appService }: Pick<
    Config,
    "fullAccess" | "federationUrlOverrides" | "appService"
  >,
): (serverName: string) => boolean {
  const names = new Set([...fullAccess, ...federationUrlOverrides.keys()]);
  if (appService !== undefined) names.add(appService.serverName);
  return (serverName) => names.has(serverName);
}
