import { homedir } from "node:os";
import { join } from "node:path";

/** Where `.ci/install` puts the real servers: outside the checkout, so that a clean clone reuses them. */
const CACHE_DIR = join(
  Deno.env.get("XDG_CACHE_HOME") || join(homedir(), ".cache"),
  "matrixrtc-auth",
);

/** The real servers that the end-to-end tests start, and their executables below the cache. */
const EXECUTABLES = {
  livekit: "livekit-1.13.5/server",
  synapsePython: "synapse-venv/bin/python",
  redis: "redis/redis-server",
  nginx: "nginx/nginx",
  valkey: "valkey-9.1.2/valkey-server",
  prometheus: "prometheus/prometheus",
  promtool: "prometheus/promtool",
  otelcol: "otelcol-0.165.0/otelcol",
};

/**
 * The path of a real server's executable.
 *
 * @throws {Error} When it is not installed: a test must fail then, never be skipped.
 */
export function installed(part: keyof typeof EXECUTABLES): string {
  const path = join(CACHE_DIR, EXECUTABLES[part]);
  try {
    Deno.statSync(path);
  } catch (cause) {
    throw new Error(`Cannot find ${path}: run .ci/install first`, { cause });
  }
  return path;
}
