import { assertEquals, assertThrows } from "@std/assert";
import type { HttpTarget } from "../../lib/net/http_client.ts";
import { createTarget, targetOfUrl } from "../../lib/net/target.ts";
import { localTarget } from "./fixtures.ts";

const urls = [
  ["https://example.org", "https", "example.org", 443, "example.org", ""],
  ["https://example.org/", "https", "example.org", 443, "example.org", ""],
  ["https://example.org:443/a/b//", "https", "example.org", 443, "example.org", "/a/b"],
  ["https://example.org:8448", "https", "example.org", 8448, "example.org:8448", ""],
  ["http://livekit:7880/sfu/", "http", "livekit", 7880, "livekit:7880", "/sfu"],
  ["http://livekit", "http", "livekit", 80, "livekit", ""],
  ["http://127.0.0.1:80", "http", "127.0.0.1", 80, "127.0.0.1", ""],
  ["https://[::1]:8448/x", "https", "::1", 8448, "[::1]:8448", "/x"],
  ["https://[::1]", "https", "::1", 443, "[::1]", ""],
] as const;
for (const [url, protocol, host, port, hostHeader, basePath] of urls) {
  Deno.test(`targetOfUrl() takes ${url} apart`, () => {
    const base = targetOfUrl(url, 7);
    assertEquals(base.basePath, basePath);
    const { key: _, ...target } = base.target;
    assertEquals(target, {
      protocol,
      endpoints: [{ host, port }],
      tlsName: host,
      hostHeader,
      mayBePrivate: true,
      maxConnections: 7,
    });
  });
}

Deno.test("targetOfUrl() throws for text that is no URL", () => {
  assertThrows(() => targetOfUrl("example.org", 1), TypeError);
});

Deno.test("createTarget() gives one key to what is reached in one way as one server", () => {
  const { key: _, ...parts } = localTarget(8448);
  assertEquals(createTarget(parts).key, createTarget({ ...parts, maxConnections: 1 }).key);
  const others: Partial<HttpTarget>[] = [
    { protocol: "https" },
    { endpoints: [] },
    { endpoints: [{ host: "127.0.0.1", port: 8449 }] },
    { endpoints: [{ host: "127.0.0.2", port: 8448 }] },
    { endpoints: [...parts.endpoints, ...parts.endpoints] },
    { tlsName: "other.example" },
    { hostHeader: "example.org:8448" },
    { mayBePrivate: false },
  ];
  const keys = others.map((other) => createTarget({ ...parts, ...other }).key);
  assertEquals(new Set([createTarget(parts).key, ...keys]).size, others.length + 1);
});
