/** Finds secrets in what the service has written. */

/** A text that nobody may see in a log. */
export interface KnownSecret {
  /** For people: what it is. */
  readonly kind: string;
  readonly secret: string;
}

/** Something in an output that must not be there. */
export interface Leak {
  /** What the output is called. */
  readonly output: string;
  /** The kind of the secret; never the secret itself. */
  readonly kind: string;
}

/** Shorter ones are words that logs use for other things, such as `devkey`. */
const MIN_LENGTH = 12;
/** Those of fewer different characters are long for the sake of it: a thousand times the same. */
const MIN_CHARACTERS = 5;
/** Of a long one its first characters are enough: logs cut what is long. */
const MAX_LENGTH = 24;

/** Says whether a secret can be told from what else stands in a log. */
export function isDistinct({ secret }: KnownSecret): boolean {
  return secret.length >= MIN_LENGTH &&
    new Set(secret.slice(0, MAX_LENGTH)).size >= MIN_CHARACTERS;
}

/** What no output may hold, whoever made it. */
const SHAPES: readonly (readonly [kind: string, shape: RegExp])[] = [
  // With its first dot: names of rooms are hashes, which hold any letters.
  ["a JWT", /eyJ[\w-]{8,}\./],
  ["a query with a token", /(?:access_token|user_id)=/],
  ["an Authorization header", /\b(?:Bearer|Basic) [\w.~+/-]{8,}/],
];

/**
 * Makes the function that looks for secrets, as they are and as logs and URLs write them.
 *
 * @param secrets Those that are not {@linkcode isDistinct} are passed over.
 * @returns A function of an output's name and text, which gives each kind once.
 */
export function createLeakFinder(
  secrets: Iterable<KnownSecret>,
): (output: string, text: string) => Leak[] {
  // By their first characters, so that one walk through the text finds any of thousands.
  const known = new Map<string, { kind: string; text: string }[]>();
  for (const entry of secrets) {
    if (!isDistinct(entry)) continue;
    for (const text of new Set(waysToWrite(entry.secret))) {
      const start = text.slice(0, MIN_LENGTH);
      const shown = { kind: entry.kind, text: text.slice(0, MAX_LENGTH) };
      known.set(start, [...known.get(start) ?? [], shown]);
    }
  }
  return (output, text) => {
    const kinds = new Set(SHAPES.filter(([, shape]) => shape.test(text)).map(([kind]) => kind));
    for (let at = 0; at + MIN_LENGTH <= text.length; at++) {
      for (const entry of known.get(text.slice(at, at + MIN_LENGTH)) ?? []) {
        if (text.startsWith(entry.text, at)) kinds.add(entry.kind);
      }
    }
    return [...kinds].map((kind) => ({ output, kind }));
  };
}

function waysToWrite(secret: string): string[] {
  const bytes = new TextEncoder().encode(secret);
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    ...secret.isWellFormed() ? [encodeURIComponent(secret)] : [],
    // As the log writes what is not printable.
    secret.replace(/\p{Cc}/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`),
    bytes.toBase64().replace(/=*$/, ""),
    bytes.toBase64({ alphabet: "base64url", omitPadding: true }),
    bytes.toHex(),
  ];
}
