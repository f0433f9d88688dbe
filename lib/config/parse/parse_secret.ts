import { Secret } from "../../secret.ts";
import { InvalidValueError, type ParseContext } from "./invalid_value.ts";
import { checkUrl } from "./parse_url.ts";

/** LiveKit itself complains about shorter ones: HS256 wants as many bytes as SHA-256 gives. */
const MIN_SECRET_LENGTH = 32;

/** Some proxies refuse longer headers. */
const MAX_TOKEN_LENGTH = 1024;

/** Each guess is a request, so a token needs fewer than a secret that can be tried offline. */
const MIN_TOKEN_LENGTH = 16;

/**
 * Parses any secret text of one line.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { parseSecret } from "./parse_secret.ts";
 *
 * const context = { warn: () => {}, readFile: () => "" };
 * assertEquals(parseSecret("hunter2", context).reveal(), "hunter2");
 * assertThrows(() => parseSecret("two\nlines", context), Error);
 * ```
 */
export function parseSecret(text: string, context: ParseContext): Secret {
  return new Secret(checkOneLine(text, context));
}

/**
 * Parses the name of an API key, which is kept as text because tokens carry it openly.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseApiKey } from "./parse_secret.ts";
 *
 * assertEquals(parseApiKey("devkey", { warn: () => {}, readFile: () => "" }), "devkey");
 * ```
 */
export function parseApiKey(text: string, context: ParseContext): string {
  return checkOneLine(text, context);
}

/**
 * Parses the secret of an API key; a short one is accepted with a warning.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseApiSecret } from "./parse_secret.ts";
 *
 * const warnings: string[] = [];
 * const context = { warn: (message: string) => warnings.push(message), readFile: () => "" };
 * assertEquals(parseApiSecret("secret", context).reveal(), "secret");
 * assertEquals(warnings.length, 1);
 * ```
 */
export function parseApiSecret(text: string, context: ParseContext): Secret {
  const secret = parseSecret(text, context);
  if (text.length < MIN_SECRET_LENGTH) {
    context.warn(
      `gives a secret of fewer than ${MIN_SECRET_LENGTH} characters, which can be guessed: ` +
        "generate a longer one and give it to LiveKit too",
    );
  }
  if (/^[^\s:]+:\s+\S+$/.test(text)) {
    context.warn('looks like "key: secret": name a file of that form in LIVEKIT_KEY_FILE');
  }
  return secret;
}

/**
 * Parses a token that travels in a header between this service and its homeserver.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { parseToken } from "./parse_secret.ts";
 *
 * const warnings: string[] = [];
 * const context = { warn: (message: string) => warnings.push(message), readFile: () => "" };
 * assertEquals(parseToken("hunter2", context).reveal(), "hunter2");
 * assertEquals(warnings.length, 1);
 * assertThrows(() => parseToken("two words", context), Error);
 * ```
 */
export function parseToken(text: string, context: ParseContext): Secret {
  if (text.length > MAX_TOKEN_LENGTH) {
    throw new InvalidValueError(`it has more than ${MAX_TOKEN_LENGTH} characters`);
  }
  if (!/^[!-~]+$/.test(text)) {
    throw new InvalidValueError("it holds a blank, or what is no printable ASCII character");
  }
  const token = parseSecret(text, context);
  if (text.length < MIN_TOKEN_LENGTH) {
    context.warn(
      `gives a token of fewer than ${MIN_TOKEN_LENGTH} characters, which can be guessed: ` +
        'take the random ones that "config registration" prints',
    );
  }
  return token;
}

/**
 * Parses the URL of a proxy for outgoing requests; `host:port` alone means `http:`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseProxyUrl } from "./parse_secret.ts";
 *
 * const context = { warn: () => {}, readFile: () => "" };
 * assertEquals(parseProxyUrl("proxy.lan:3128", context).reveal(), "http://proxy.lan:3128");
 * ```
 */
export function parseProxyUrl(text: string, context: ParseContext): Secret {
  const withScheme = text.includes("://") ? text : `http://${text}`;
  checkUrl(withScheme, ["http", "https"], { userInfo: true });
  return parseSecret(withScheme, context);
}

function checkOneLine(text: string, context: ParseContext): string {
  if (/\p{Cc}/u.test(text)) {
    throw new InvalidValueError("it holds a line break or another control character");
  }
  if (/^(["']).*\1$/.test(text)) {
    context.warn("begins and ends with quotation marks, which count as a part of it");
  }
  return text;
}
