import { isServerName } from "../../matrix/server_name.ts";
import { InvalidValueError, type ParseContext } from "./invalid_value.ts";
import { quoteValue } from "./quote_value.ts";
import { splitList } from "./split_list.ts";

/**
 * Parses the list of servers with full access.
 *
 * `*` means every server and counts only when it stands alone: beside names it would quietly
 * make them pointless.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { parseFullAccess } from "./parse_server_list.ts";
 *
 * const context = { warn: () => {}, readFile: () => "" };
 * assertEquals(parseFullAccess("a.example, b.example", context), ["a.example", "b.example"]);
 * assertEquals(parseFullAccess("*, a.example", context), ["a.example"]);
 * assertThrows(() => parseFullAccess("https://a.example", context), Error);
 * ```
 */
export function parseFullAccess(text: string, context: ParseContext): readonly string[] {
  const entries = splitList(text);
  if (entries.length === 0) context.warn("names no server: nobody has full access");
  if (entries.length === 1 && entries[0] === "*") {
    context.warn("is *: users of every Matrix server may create rooms on your SFU");
    return entries;
  }
  const names = entries.filter((entry) => entry !== "*");
  if (names.length < entries.length) {
    context.warn("has * beside other names: it counts only when alone and is ignored");
  }
  for (const name of names) {
    checkServerName(name);
    if (/^[^.[\]]+:[0-9]+$/.test(name)) {
      context.warn(
        `lists ${quoteValue(name)}, which looks like a container: list the part after the ` +
          `colon in user IDs (for @alice:example.org that is example.org)`,
      );
    }
  }
  return names;
}

/**
 * Parses a list of server names and patterns such as `*.example.org`, which stands for every
 * name below `example.org` but not for `example.org`.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { parseServerPatterns } from "./parse_server_list.ts";
 *
 * assertEquals(parseServerPatterns("example.org *.example.net"), ["example.org", "*.example.net"]);
 * assertThrows(() => parseServerPatterns("*"), Error);
 * ```
 */
export function parseServerPatterns(text: string): readonly string[] {
  const patterns = splitList(text);
  if (patterns.length === 0) throw new InvalidValueError("it names no server");
  for (const pattern of patterns) checkServerName(pattern.replace(/^\*\.(?=[^[])/, ""));
  return patterns;
}

/**
 * Parses one server name.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseOwnServerName } from "./parse_server_list.ts";
 *
 * assertEquals(parseOwnServerName("example.org"), "example.org");
 * ```
 */
export function parseOwnServerName(text: string): string {
  checkServerName(text);
  return text;
}

function checkServerName(text: string): void {
  if (isServerName(text)) return;
  const why = text.includes("/") ? "has a scheme or slash" : "is no Matrix server name";
  throw new InvalidValueError(`${quoteValue(text)} ${why}`);
}
