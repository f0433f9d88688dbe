import type { Setting } from "./setting.ts";

/**
 * Lays settings out in columns for a terminal, one line each.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { formatSettings } from "./format_settings.ts";
 *
 * assertEquals(
 *   formatSettings([
 *     { name: "LIVEKIT_URL", value: "wss://sfu", source: "environment" },
 *     { name: "LIVEKIT_KEY", value: "[secret]", source: "default" },
 *   ]),
 *   "LIVEKIT_URL  wss://sfu  environment\n" + "LIVEKIT_KEY  [secret]   default\n",
 * );
 * ```
 */
export function formatSettings(settings: readonly Setting[]): string {
  const nameWidth = Math.max(0, ...settings.map(({ name }) => name.length));
  const valueWidth = Math.min(
    MAX_VALUE_WIDTH,
    Math.max(0, ...settings.map(({ value }) => value.length)),
  );
  return settings.map(({ name, value, source }) =>
    `${name.padEnd(nameWidth)}  ${value.padEnd(valueWidth)}  ${source}\n`
  ).join("");
}

/** One long list must not push the sources of all others out of sight. */
const MAX_VALUE_WIDTH = 48;
