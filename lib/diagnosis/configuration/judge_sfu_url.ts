import { isIP } from "node:net";
import { createAddressPolicy } from "../../net/address_policy.ts";
import type { Finding } from "../check.ts";
import { fail, pass, warn } from "../finding.ts";

const isPublic = createAddressPolicy([]);

/**
 * Judges `LIVEKIT_URL`, which clients get letter by letter.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { judgeSfuUrl } from "./judge_sfu_url.ts";
 *
 * assertEquals(judgeSfuUrl("wss://sfu.example.org").verdict, "PASS");
 * assertEquals(judgeSfuUrl("ws://livekit:7880").verdict, "FAIL");
 * ```
 *
 * @param text A ws, wss, http or https URL.
 */
export function judgeSfuUrl(text: string): Finding {
  const url = new URL(text);
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const shown = `clients get ${text}`;
  const inside = "and put the address that this service uses into LIVEKIT_INTERNAL_URL.";
  if (host === "localhost" || host.endsWith(".localhost") || /^127\.|^::1$/.test(host)) {
    return warn(
      `${shown}, which is each client's own machine`,
      `Fine for trying out on one machine; else set LIVEKIT_URL to wss://<public host>, ${inside}`,
    );
  }
  if (isIP(host) === 0 && !host.includes(".")) {
    return fail(
      `${shown}: "${host}" is a name of a container network, which clients cannot resolve`,
      `Set LIVEKIT_URL to wss://<public host>[/prefix], ${inside}`,
    );
  }
  if (isIP(host) !== 0 && !isPublic(host)) {
    return warn(
      `${shown}, a private address`,
      `Only clients in that network reach it: set LIVEKIT_URL to wss://<public host>, ${inside}`,
    );
  }
  if (/\/rtc(?:\/v1)?\/*$/.test(url.pathname)) {
    return fail(
      `${shown}, with /rtc at its end`,
      "Remove /rtc from LIVEKIT_URL: LiveKit's clients add it themselves.",
    );
  }
  if (/^(?:ws|http):$/.test(url.protocol)) {
    return warn(
      `${shown}, without TLS`,
      "Set LIVEKIT_URL to wss://…: browsers allow no plain connections from https pages.",
    );
  }
  if (/^http/.test(url.protocol)) {
    return warn(
      `${shown}, not a wss address`,
      "Write LIVEKIT_URL with wss:// in place of https://: not every client translates it.",
    );
  }
  if (text.endsWith("/")) {
    return warn(
      `${shown}, with a slash at its end`,
      "Remove the slash at the end of LIVEKIT_URL: homeservers compare it letter by letter.",
    );
  }
  return pass(shown);
}
