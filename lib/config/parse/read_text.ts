import { InvalidValueError } from "./invalid_value.ts";

/** Enough for any key or registration; a path to something else shows up before it is read whole. */
export const MAX_SMALL_FILE_BYTES = 64 * 1024;

/** Error names of Deno and codes of Node, in words. Paths are left out: they may be secrets. */
const CAUSES = new Map(Object.entries({
  NotFound: "there is no such file",
  ENOENT: "there is no such file",
  PermissionDenied: "permission to read the file is denied",
  EACCES: "permission to read the file is denied",
  NotCapable: "this program was not given access to the file",
  IsADirectory: "it is a folder",
  EISDIR: "it is a folder",
  NotADirectory: "a part of the path is no folder",
  ENOTDIR: "a part of the path is no folder",
}));

/**
 * Reads a text file that a variable names, without the byte order mark that some editors leave.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { readText } from "./read_text.ts";
 *
 * assertEquals(readText("/key", 10, () => "devkey\n"), "devkey\n");
 * assertThrows(() => readText("/key", 3, () => "devkey\n"), Error);
 * ```
 *
 * @param path As written by the operator.
 * @param maxBytes A larger file is refused.
 * @param readFile Gives the whole text; may stop reading beyond `maxBytes`.
 * @throws {InvalidValueError} If the file cannot be read, is blank or too large.
 */
export function readText(
  path: string,
  maxBytes: number,
  readFile: (path: string, maxBytes: number) => string,
): string {
  if (path.includes("\0")) throw new InvalidValueError("this is no path of a file");
  let text: string;
  try {
    text = readFile(path, maxBytes);
  } catch (error) {
    throw new InvalidValueError(describeReadError(error), { cause: error });
  }
  if (new TextEncoder().encode(text).length > maxBytes) {
    throw new InvalidValueError(`the file is larger than ${maxBytes / 1024} KiB`);
  }
  if (text.trim() === "") throw new InvalidValueError("the file is empty");
  return text.replace(/^\uFEFF/, "");
}

/**
 * Says whether reading failed because there is no file.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { InvalidValueError } from "./invalid_value.ts";
 * import { isNotFound } from "./read_text.ts";
 *
 * assertEquals(isNotFound(new InvalidValueError("…", { cause: new Deno.errors.NotFound() })), true);
 * assertEquals(isNotFound(new InvalidValueError("…")), false);
 * ```
 */
export function isNotFound(error: InvalidValueError): boolean {
  return causeOf(error.cause) === CAUSES.get("NotFound");
}

function describeReadError(error: unknown): string {
  const known = causeOf(error);
  if (known !== undefined) return known;
  return `the file cannot be read (${error instanceof Error ? error.name : "unknown error"})`;
}

function causeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = (error as { code?: unknown }).code;
  return CAUSES.get(error.name) ?? (typeof code === "string" ? CAUSES.get(code) : undefined);
}
