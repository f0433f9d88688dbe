import { InvalidValueError, type ParseContext } from "./invalid_value.ts";
import { MAX_SMALL_FILE_BYTES } from "./read_text.ts";

/** What a key file or `LIVEKIT_KEYS` holds. */
export type KeyFile =
  /** The form of the first releases: just the name of the key. */
  | { readonly kind: "key"; readonly key: string }
  | { readonly kind: "pairs"; readonly pairs: ReadonlyMap<string, string> };

/**
 * Parses lines of `key: secret`, or one line with just a key.
 *
 * The same file often serves LiveKit, for which it is YAML: comments, quotes and a `keys:`
 * above the lines are understood, other YAML is not.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseKeyLines } from "./parse_key_file.ts";
 *
 * assertEquals(parseKeyLines("# mine\r\n'a': \"s\"\r\n"), {
 *   kind: "pairs",
 *   pairs: new Map([["a", "s"]]),
 * });
 * assertEquals(parseKeyLines("devkey\n"), { kind: "key", key: "devkey" });
 * ```
 *
 * @throws {InvalidValueError} Names the line by its number only, since it may hold a secret.
 */
export function parseKeyLines(text: string): KeyFile {
  const lines = text.split(/\r\n|\r|\n/)
    .map((line, index) => ({ content: withoutComment(line).trim(), number: index + 1 }))
    .filter(({ content }) => content !== "" && content !== "---" && content !== "keys:");
  const first = lines[0];
  if (first === undefined) throw new InvalidValueError("it holds no key");
  if (lines.length === 1 && !hasSeparator(first.content)) {
    return { kind: "key", key: checkPart(unquote(first.content), first.number) };
  }
  const pairs = new Map<string, string>();
  for (const { content, number } of lines) {
    const [key, secret] = splitPair(content, number);
    if ((pairs.get(key) ?? secret) !== secret) {
      throw new InvalidValueError(`line ${number} gives a key a second secret`);
    }
    pairs.set(key, secret);
  }
  return { kind: "pairs", pairs };
}

/**
 * Reads the file that `LIVEKIT_KEY_FILE` names.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseKeyFile } from "./parse_key_file.ts";
 *
 * const context = { warn: () => {}, readFile: () => "devkey" };
 * assertEquals(parseKeyFile("/run/key", context), { kind: "key", key: "devkey" });
 * ```
 */
export function parseKeyFile(path: string, context: ParseContext): KeyFile {
  return parseKeyLines(context.readFile(path, MAX_SMALL_FILE_BYTES));
}

/**
 * Parses the text of `LIVEKIT_KEYS`, where a key alone makes no sense.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseKeys } from "./parse_key_file.ts";
 *
 * assertEquals(parseKeys("devkey: secret").get("devkey"), "secret");
 * ```
 */
export function parseKeys(text: string): ReadonlyMap<string, string> {
  const parsed = parseKeyLines(text);
  if (parsed.kind === "key") throw new InvalidValueError("it has no colon");
  return parsed.pairs;
}

/** A quoted key may itself hold a colon. */
const QUOTED_KEY = /^("[^"]*"|'[^']*')\s*:/;

function hasSeparator(line: string): boolean {
  return QUOTED_KEY.test(line) || (line.includes(":") && !/^(["'])[^"']*\1$/.test(line));
}

function splitPair(line: string, number: number): [key: string, secret: string] {
  const colon = (QUOTED_KEY.exec(line)?.[0].length ?? line.indexOf(":") + 1) - 1;
  if (colon < 0) throw new InvalidValueError(`line ${number} has no colon`);
  const key = checkPart(unquote(line.slice(0, colon).trim()), number);
  return [key, checkPart(unquote(line.slice(colon + 1).trim()), number)];
}

function checkPart(part: string, number: number): string {
  if (part === "") throw new InvalidValueError(`line ${number} lacks the key or the secret`);
  if (/\p{Cc}/u.test(part)) {
    throw new InvalidValueError(`line ${number} holds a control character`);
  }
  return part;
}

function unquote(text: string): string {
  return /^(["']).*\1$/.test(text) && text.length > 1 ? text.slice(1, -1) : text;
}

/** As in YAML, a `#` begins a comment only outside quotes, at the beginning or after a blank. */
function withoutComment(line: string): string {
  return line.replace(/("[^"]*"|'[^']*')|(?:^|\s)#.*$/g, (_, quoted?: string) => quoted ?? "");
}
