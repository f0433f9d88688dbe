import type { Secret } from "../secret.ts";
import type { KeyPair } from "./config.ts";
import type { Findings } from "./findings.ts";
import { parseApiSecret } from "./parse/parse_secret.ts";
import type { Values } from "./variables/variables.ts";

/** The variables that an API key and its secret can come from. */
export type KeySources = Pick<
  Partial<Values>,
  "LIVEKIT_KEY" | "LIVEKIT_SECRET" | "LIVEKIT_KEY_FILE" | "LIVEKIT_KEYS"
>;

/** A key pair, and the variables it was taken out of. */
export interface ChosenKeyPair extends KeyPair {
  readonly keyFrom: KeyVariable;
  readonly secretFrom: KeyVariable;
}

type KeyVariable = keyof KeySources;

/**
 * Chooses the API key and its secret: `LIVEKIT_KEY_FILE` wins, then come the single values, and
 * LiveKit's own `LIVEKIT_KEYS` fills what is still missing.
 *
 * @example A key file of the first releases holds just the key
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Secret } from "../secret.ts";
 * import { chooseKeyPair } from "./choose_key_pair.ts";
 * import { Findings } from "./findings.ts";
 *
 * const chosen = chooseKeyPair({
 *   LIVEKIT_KEY_FILE: { kind: "key", key: "devkey" },
 *   LIVEKIT_SECRET: new Secret("secret"),
 * }, new Findings());
 * assertEquals([chosen?.key, chosen?.secretFrom], ["devkey", "LIVEKIT_SECRET"]);
 * ```
 *
 * @param findings Gets a fault when there is no complete pair.
 * @returns `undefined` if there is a fault.
 */
export function chooseKeyPair(values: KeySources, findings: Findings): ChosenKeyPair | undefined {
  const { LIVEKIT_KEY_FILE: file, LIVEKIT_KEYS: keys } = values;
  const wanted = values.LIVEKIT_KEY;
  if (file?.kind === "pairs") {
    return pick(file.pairs, wanted, "LIVEKIT_KEY_FILE", findings);
  }
  const key = file?.key ?? wanted;
  const keyFrom = file === undefined ? "LIVEKIT_KEY" : "LIVEKIT_KEY_FILE";
  const secret = values.LIVEKIT_SECRET;
  if (key !== undefined && secret !== undefined) {
    return { key, secret, keyFrom, secretFrom: "LIVEKIT_SECRET" };
  }
  if (keys !== undefined) {
    const picked = pick(keys, key, "LIVEKIT_KEYS", findings);
    if (picked === undefined) return undefined;
    return {
      ...picked,
      ...(key === undefined ? {} : { keyFrom }),
      ...(secret === undefined ? {} : { secret, secretFrom: "LIVEKIT_SECRET" }),
    };
  }
  reportMissing(key, secret, findings);
  return undefined;
}

/** One pair alone needs no choice; the name of its key then counts, as it did for lk-jwt-service. */
function pick(
  pairs: ReadonlyMap<string, string>,
  wanted: string | undefined,
  from: KeyVariable,
  findings: Findings,
): ChosenKeyPair | undefined {
  const [only, ...others] = pairs;
  const key = others.length === 0 ? only?.[0] : wanted;
  const secret = key === undefined ? undefined : pairs.get(key);
  if (key === undefined || secret === undefined) {
    const how = wanted === undefined
      ? "name one of them in LIVEKIT_KEY"
      : "none of them is the one that LIVEKIT_KEY names";
    findings.fault(from, `holds ${pairs.size} keys: ${how}`);
    return undefined;
  }
  if (wanted !== undefined && wanted !== key) {
    findings.warn("LIVEKIT_KEY", `is ignored because ${from} holds one other key`);
  }
  const context = {
    warn: (message: string) => findings.warn(from, message),
    readFile: () => "",
  };
  return { key, secret: parseApiSecret(secret, context), keyFrom: from, secretFrom: from };
}

function reportMissing(
  key: string | undefined,
  secret: Secret | undefined,
  findings: Findings,
): void {
  // Whoever named a file that cannot be read is told so already.
  if (findings.isFaulty("LIVEKIT_KEY_FILE") || findings.isFaulty("LIVEKIT_KEYS")) return;
  for (const [name, value] of [["LIVEKIT_KEY", key], ["LIVEKIT_SECRET", secret]] as const) {
    if (value !== undefined || findings.isFaulty(name)) continue;
    findings.fault(
      name,
      `is not set. Accepted: ${name} itself, ${name}_FROM_FILE with the path of a file that ` +
        `holds it, or LIVEKIT_KEY_FILE with the path of a file with a line "key: secret"`,
    );
  }
}
