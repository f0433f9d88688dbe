/** The homeserver's own way to tell clients of transports (MSC4143). */

import type { Secret } from "../../secret.ts";
import type { Exchange, Probe } from "../probe.ts";
import { isObject, serviceUrlsOf } from "./transport_list.ts";

/** What came of asking. */
export interface Transports {
  /** What was asked, without the base URL. */
  readonly path: string;
  readonly exchange: Exchange;
  /** `rtc_transports`, whatever stands there; absent where nothing does. */
  readonly transports?: unknown;
  /** Every `livekit_service_url` there that is an http or https URL, as written. */
  readonly serviceUrls?: readonly string[];
}

const PATHS = [
  "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports",
  "/_matrix/client/v1/rtc/transports",
] as const;

/**
 * Asks by the unstable path, which clients of today use, and where there is none by the stable one.
 *
 * @param baseUrl The client API, without a slash at its end.
 * @param userToken Sent along where it is given.
 */
export async function fetchTransports(
  baseUrl: string,
  probe: Probe,
  userToken?: Secret,
): Promise<Transports> {
  const headers = userToken && { authorization: `Bearer ${userToken.reveal()}` };
  const ask = async (path: string): Promise<Transports> => {
    const exchange = await probe(baseUrl + path, headers && { headers });
    return { path, exchange, ...read(exchange) };
  };
  const first = await ask(PATHS[0]);
  if (!first.exchange.answered || first.exchange.status !== 404) return first;
  const second = await ask(PATHS[1]);
  return second.exchange.answered && second.exchange.status !== 404 ? second : first;
}

function read(exchange: Exchange): Pick<Transports, "transports" | "serviceUrls"> {
  if (!exchange.answered || exchange.status !== 200 || !isObject(exchange.json)) return {};
  const transports = exchange.json.rtc_transports;
  return {
    ...transports !== undefined && { transports },
    serviceUrls: serviceUrlsOf(transports),
  };
}
