import type { Secret } from "../../secret.ts";
import { checkRegistration } from "./check_registration.ts";
import { InvalidValueError, type ParseContext } from "../parse/invalid_value.ts";
import { parseToken } from "../parse/parse_secret.ts";
import { MAX_SMALL_FILE_BYTES } from "../parse/read_text.ts";
import { readYamlMapping } from "./read_yaml.ts";

/** The tokens of an application service. */
export interface Registration {
  /** Shown to the homeserver. */
  readonly asToken: Secret;
  /** Shown by the homeserver. */
  readonly hsToken: Secret;
}

/**
 * Reads the registration that the homeserver reads too. What this service needs are the tokens;
 * what the homeserver needs besides is only warned about, as it may belong to a later version.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseRegistrationFile } from "./parse_registration.ts";
 *
 * const text = "as_token: one-long-random-token\nhs_token: other-long-random-token\n";
 * const context = { warn: () => {}, readFile: () => text };
 * const { asToken } = parseRegistrationFile("/etc/registration.yaml", context);
 * assertEquals(asToken.reveal(), "one-long-random-token");
 * ```
 *
 * @throws {InvalidValueError} Names lines and keys, and quotes nothing of the file.
 */
export function parseRegistrationFile(path: string, context: ParseContext): Registration {
  const registration = readYamlMapping(context.readFile(path, MAX_SMALL_FILE_BYTES));
  const asToken = tokenOf(registration, "as_token", context);
  const hsToken = tokenOf(registration, "hs_token", context);
  checkRegistration(registration, context);
  return { asToken, hsToken };
}

function tokenOf(
  registration: ReadonlyMap<unknown, unknown>,
  key: string,
  context: ParseContext,
): Secret {
  const token = registration.get(key);
  if (token === undefined || token === null || token === "") {
    throw new InvalidValueError(`the file has no ${key}`);
  }
  if (typeof token !== "string") {
    throw new InvalidValueError(`${key} in the file is no text: put it in quotes`);
  }
  try {
    const warn = (message: string) => context.warn(`has an ${key} that ${message}`);
    return parseToken(token, { ...context, warn });
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    throw new InvalidValueError(`${key} in the file is no token: ${error.message}`);
  }
}
