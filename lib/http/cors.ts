/**
 * The headers that let any web page call the service, on every reply: what a
 * browser may not read looks to it like a network error, also a 404.
 */
export const CORS_HEADERS = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "POST",
  "access-control-allow-headers":
    "Accept, Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token",
} as const;
