/** The registration that Synapse and this service share, as text. */

import {
  MEMBERSHIP_SCOPE,
  PROXY_PREFIX,
  REGISTRATION_KEYS,
} from "../config/registration/registration_keys.ts";
import type { RegistrationSettings } from "../config/registration/registration_settings.ts";

/** Of the application service and of its own user, which nobody sees. */
const ID = "matrixrtc-auth";
const USUAL_PATH = "/etc/matrix-synapse/matrixrtc-auth.yaml";
const EXAMPLE_URL = "wss://sfu.example.org";

/** Fresh ones for each registration. */
export interface RegistrationTokens {
  readonly asToken: string;
  readonly hsToken: string;
}

/**
 * Writes a registration for Synapse, with what else has to be done above it. All of that is
 * comments, so the output can be saved as it is: what people read begins with `##`, and without
 * its single `#` the rest is a piece of homeserver.yaml.
 *
 * @example
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * import { formatRegistration } from "./registration.ts";
 *
 * const settings = { serverName: "example.org", proxyUrl: "http://127.0.0.1:8080" };
 * const text = formatRegistration(settings, { asToken: "a", hsToken: "b" });
 * assertStringIncludes(text, "\nurl: null\n");
 * ```
 *
 * @param tokens Nothing that YAML takes for more than text inside double quotes.
 * @returns Lines of ASCII, the last one ended too.
 */
export function formatRegistration(
  { serverName, proxyUrl, liveKitUrl, path = USUAL_PATH }: RegistrationSettings,
  { asToken, hsToken }: RegistrationTokens,
): string {
  const { scopes, proxyPrefix, proxyUrl: proxyUrlKey } = REGISTRATION_KEYS;
  const unknownUrl = liveKitUrl === undefined ? "  # put LIVEKIT_URL here" : "";
  return `\
## Registration of matrixrtc-auth with Synapse, for ${serverName}.
## It holds two secrets: whoever reads them can act for every user of ${serverName}.
##
## 1. Save this as a file that Synapse and matrixrtc-auth can read and nobody else, mode 0640:
##    ${path}
##
## 2. Put this into homeserver.yaml, without the # and the blank at the beginning of the lines,
##    joined with what stands there under the same names already. Then restart Synapse.
#
# app_service_config_files:
#   - ${path}
# experimental_features:
#   msc4143_enabled: true
#   msc4502_enabled: true
#   msc4512_enabled: true
# max_event_delay_duration: 24h
# matrix_rtc:
#   transports:
#     - type: livekit
#       # The same as LIVEKIT_URL, letter by letter.
#       url: ${quote(liveKitUrl ?? EXAMPLE_URL)}${unknownUrl}
#       # Where older clients find matrixrtc-auth, which do not ask their homeserver.
#       # livekit_service_url: https://rtc.example.org/livekit/jwt
#
## 3. Set these variables of matrixrtc-auth and restart it:
##    LIVEKIT_AS_REGISTRATION_FILE=${path}
##    LIVEKIT_HS_SERVER_NAME=${serverName}
##    If it reaches Synapse elsewhere than clients do, say where, for example:
##    LIVEKIT_CS_API_URL_OVERRIDES=${serverName}=http://127.0.0.1:8008

id: ${ID}
as_token: "${asToken}"
hs_token: "${hsToken}"
sender_localpart: ${ID}

## Nothing is pushed to matrixrtc-auth.
url: null
rate_limited: false

## All local users: leaves are sent in their names.
namespaces:
  users:
    - exclusive: false
      regex: '@[^:]*:${serverName.replace(/[.[\]]/g, "\\$&")}$'
  aliases: []
  rooms: []

${scopes}:
  - ${MEMBERSHIP_SCOPE}

## Where Synapse reaches matrixrtc-auth.
${proxyPrefix}: ${PROXY_PREFIX}
${proxyUrlKey}: ${quote(proxyUrl)}
`;
}

/** Double quotes mean the same in JSON and YAML, but for characters that YAML files cannot hold. */
function quote(text: string): string {
  return JSON.stringify(text).replace(/[^\x20-\x7e]/gu, (char) => {
    const code = char.codePointAt(0)!.toString(16);
    return code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\U${code.padStart(8, "0")}`;
  });
}
