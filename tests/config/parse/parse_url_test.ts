import { assertEquals } from "@std/assert";
import { parseSfuUrl, toApiUrl } from "../../../lib/config/parse/parse_url.ts";

const API_URLS = {
  "ws://livekit:7880": "http://livekit:7880",
  "wss://sfu.example.org": "https://sfu.example.org",
  "WSS://SFU.example.org/": "https://sfu.example.org",
  "wss://example.org/livekit/sfu": "https://example.org/livekit/sfu",
  "wss://example.org/livekit/sfu//": "https://example.org/livekit/sfu",
  "https://example.org:8443/a%20b": "https://example.org:8443/a%20b",
  "wss://example.org:443/": "https://example.org",
  "http://[::1]:7880/": "http://[::1]:7880",
};
for (const [url, apiUrl] of Object.entries(API_URLS)) {
  Deno.test(`toApiUrl() makes ${apiUrl} of ${url}`, () => {
    assertEquals(parseSfuUrl(url), url);
    assertEquals(toApiUrl(url), apiUrl);
  });
}
