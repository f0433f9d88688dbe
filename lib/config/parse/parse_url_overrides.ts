import { isServerName } from "../../matrix/server_name.ts";
import { InvalidValueError } from "./invalid_value.ts";
import { parseHttpBaseUrl } from "./parse_url.ts";
import { quoteValue } from "./quote_value.ts";

/**
 * Parses `server=url,server=url`, each part trimmed. A URL without a scheme means `https:`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseUrlOverrides } from "./parse_url_overrides.ts";
 *
 * const overrides = parseUrlOverrides("a.example=http://synapse:8008/, b.example = m.b.example");
 * assertEquals(overrides.get("a.example"), "http://synapse:8008");
 * assertEquals(overrides.get("b.example"), "https://m.b.example");
 * ```
 */
export function parseUrlOverrides(text: string): ReadonlyMap<string, string> {
  const overrides = new Map<string, string>();
  // Line breaks separate too: YAML block scalars turn a list into lines.
  for (const entry of text.split(/[,\n]/).map((entry) => entry.trim())) {
    if (entry === "") continue;
    const equals = entry.indexOf("=");
    if (equals < 0) throw new InvalidValueError(`${quoteValue(entry)} has no "="`);
    const serverName = entry.slice(0, equals).trim();
    if (!isServerName(serverName)) {
      throw new InvalidValueError(`${quoteValue(serverName)} is no Matrix server name`);
    }
    const url = parseOverride(entry.slice(equals + 1).trim(), serverName);
    if ((overrides.get(serverName) ?? url) !== url) {
      throw new InvalidValueError(`${quoteValue(serverName)} has two different URLs`);
    }
    overrides.set(serverName, url);
  }
  if (overrides.size === 0) throw new InvalidValueError("it holds no entry");
  return overrides;
}

function parseOverride(text: string, serverName: string): string {
  try {
    return parseHttpBaseUrl(text);
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    throw new InvalidValueError(`the URL of ${quoteValue(serverName)}: ${error.message}`);
  }
}
