import { Secret } from "../secret.ts";
import { InvalidValueError, type ParseContext } from "./invalid_value.ts";
import { MAX_SMALL_FILE_BYTES } from "./read_text.ts";

/**
 * Parses the path of a folder, without looking at the folder.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseFolder } from "./parse_path.ts";
 *
 * assertEquals(parseFolder("/var/lib/matrixrtc-auth/"), "/var/lib/matrixrtc-auth");
 * ```
 */
export function parseFolder(text: string): string {
  if (/\p{Cc}/u.test(text)) throw new InvalidValueError("it holds a control character");
  return text.length > 1 ? text.replace(/(?<=.)\/+$/, "") : text;
}

/**
 * Parses a list of folders separated by colons.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseFolders } from "./parse_path.ts";
 *
 * assertEquals(parseFolders("/etc/ssl/certs:/opt/certs/"), ["/etc/ssl/certs", "/opt/certs"]);
 * ```
 */
export function parseFolders(text: string): readonly string[] {
  return text.split(":").filter((folder) => folder !== "").map(parseFolder);
}

/** A file's path and its text, which holds secrets. */
export interface SecretFile {
  readonly path: string;
  readonly text: Secret;
}

/**
 * Reads a file that holds secrets and keeps its text as it is.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseSecretFile } from "./parse_path.ts";
 *
 * const context = { warn: () => {}, readFile: () => "as_token: a" };
 * assertEquals(parseSecretFile("/reg.yaml", context).text.reveal(), "as_token: a");
 * ```
 */
export function parseSecretFile(path: string, context: ParseContext): SecretFile {
  return { path, text: new Secret(context.readFile(path, MAX_SMALL_FILE_BYTES)) };
}
