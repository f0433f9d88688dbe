import { isIP } from "node:net";
import { createAddressPolicy } from "../../net/address_policy.ts";
import type { DoctorContext } from "../context.ts";
import { publicHttpUrl } from "./room_visit.ts";

/** Whether anybody on the internet can connect to an address. */
export const isPublicAddress = createAddressPolicy([]);

/** Whether clients are told a public place, and not one at home or in a laboratory. */
export async function isReachedPublicly(context: DoctorContext): Promise<boolean> {
  const { hostname } = new URL(publicHttpUrl(context.config.liveKit.url));
  const host = hostname.replace(/^\[|\]$/g, "");
  // A name without addresses is told of elsewhere (F5).
  const addresses = isIP(host) === 0 ? await context.lookup(host).catch(() => []) : [host];
  return addresses.some(isPublicAddress);
}
