import { InvalidValueError } from "./invalid_value.ts";

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
