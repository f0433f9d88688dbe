import { parse } from "@std/dotenv/parse";
import { readText } from "../parse/read_text.ts";

/** Where a configuration comes from. */
export interface ConfigSources {
  /** The whole real environment; it wins over the file. */
  readonly env: Readonly<Record<string, string>>;
  /** A dotenv file that was asked for. */
  readonly envFile?: { readonly path: string; readonly text: string };
  /**
   * Gives the text of a file that a variable names; may stop beyond `maxBytes`. Errors keep
   * their name (`NotFound`, `PermissionDenied`, …), which is how the cause is told.
   */
  readonly readFile: (path: string, maxBytes: number) => string;
}

/** A value as it was found. */
export interface Found {
  readonly text: string;
  /** The name that it was found under. */
  readonly variable: string;
  /** For people: `environment`, `env file /path`, … */
  readonly source: string;
}

/**
 * Looks values up in the environment and the env file.
 *
 * @example The environment wins, and empty means unset
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openSources } from "./sources.ts";
 *
 * const sources = openSources({
 *   env: { LIVEKIT_KEY: "a", LIVEKIT_SECRET: " " },
 *   envFile: { path: ".env", text: "LIVEKIT_KEY=b\nLIVEKIT_SECRET=c\n" },
 *   readFile: () => "",
 * });
 * assertEquals(sources.find("LIVEKIT_KEY")?.text, "a");
 * assertEquals(sources.find("LIVEKIT_SECRET")?.source, "env file .env");
 * ```
 */
export function openSources(sources: ConfigSources): OpenSources {
  const { env, envFile } = sources;
  const fromFile = envFile === undefined ? {} : parse(envFile.text.replace(/^\uFEFF/, ""));
  return {
    names: [...new Set([...Object.keys(env), ...Object.keys(fromFile)])].sort(),
    find(name) {
      const text = valueOf(env, name);
      if (text !== undefined) return { text, variable: name, source: "environment" };
      const fileText = valueOf(fromFile, name);
      if (fileText === undefined) return undefined;
      return { text: fileText, variable: name, source: `env file ${envFile!.path}` };
    },
    readFile: (path, maxBytes) => readText(path, maxBytes, sources.readFile),
  };
}

/** What {@linkcode openSources} returns. */
export interface OpenSources {
  /** Of all variables, sorted, empty ones included. */
  readonly names: readonly string[];
  /** The trimmed value of a variable that is not empty. */
  find(name: string): Found | undefined;
  /** @throws {InvalidValueError} If the file cannot be read, is empty or too large. */
  readFile(path: string, maxBytes: number): string;
}

function valueOf(values: Readonly<Record<string, string>>, name: string): string | undefined {
  // Names come from the table only, but a table may hold "constructor" some day.
  const text = Object.hasOwn(values, name) ? values[name]!.trim() : "";
  return text === "" ? undefined : text;
}
