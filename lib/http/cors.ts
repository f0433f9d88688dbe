/**
 * The headers that let any web page call the service, on every reply but those
 * to servers: what a browser may not read looks to it like a network error, also
 * a 404.
 */
export const CORS_HEADERS = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "POST",
  "access-control-allow-headers":
    "Accept, Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token",
} as const;

/** The same for what is a part of the homeserver's own API: there clients show their access token. */
export const CLIENT_API_CORS_HEADERS = {
  ...CORS_HEADERS,
  "access-control-allow-headers": `${
    CORS_HEADERS["access-control-allow-headers"]
  }, X-Requested-With, Authorization`,
} as const;
