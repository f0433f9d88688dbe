/** What Synapse 1.163 reads in a registration, beyond what every application service has. */

/** Names of the keys; without the prefix Synapse does not read them. */
export const REGISTRATION_KEYS = {
  /** A list of what this service may ask. */
  scopes: "io.element.msc4502.scopes",
  /** Which paths Synapse passes on. */
  proxyPrefix: "io.element.msc4512.proxy_prefix",
  /** Where to. */
  proxyUrl: "io.element.msc4512.proxy_url",
} as const;

/** Whether a user is joined in a room; an unknown scope keeps Synapse from starting. */
export const MEMBERSHIP_SCOPE = "urn:matrix:client:io.element.msc4502:rooms:is_joined";

/** The only prefix that Synapse allows. */
export const PROXY_PREFIX = "rtc/livekit";
