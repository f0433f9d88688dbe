import { LineCounter, parseDocument } from "yaml";
import { InvalidValueError } from "../parse/invalid_value.ts";

/**
 * Reads a YAML file that holds one mapping.
 *
 * Only text that YAML 1.2 and the 1.1 of Synapse's parser understand alike passes: a second
 * document, a key that comes twice and a tag that is not known are refused.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { readYamlMapping } from "./read_yaml.ts";
 *
 * assertEquals(readYamlMapping("url: null\n").get("url"), null);
 * assertThrows(() => readYamlMapping("a: hunter2\na: x"), Error, "line 2 is no valid YAML");
 * ```
 *
 * @param text Of bounded size.
 * @returns Mappings as `Map`, so that no key means anything to JavaScript.
 * @throws {InvalidValueError} Tells the line and the kind of fault and quotes nothing, since the
 * text may hold secrets.
 */
export function readYamlMapping(text: string): ReadonlyMap<unknown, unknown> {
  const value = read(text);
  if (!(value instanceof Map)) throw new InvalidValueError("the file holds no lines of key: value");
  return value;
}

function read(text: string): unknown {
  const lineCounter = new LineCounter();
  let document;
  try {
    // Pretty errors quote the line that they are about.
    const options = { lineCounter, prettyErrors: false, logLevel: "error", merge: true } as const;
    document = parseDocument(text, options);
  } catch {
    // Brackets by the thousand use up the stack; the parser has no limit of its own.
    throw new InvalidValueError("the file is nested too deeply");
  }
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) {
    const { line } = lineCounter.linePos(fault.pos[0]);
    throw new InvalidValueError(`line ${line} is no valid YAML (${fault.code})`);
  }
  try {
    return document.toJS({ mapAsMap: true, maxAliasCount: MAX_ALIASES });
  } catch {
    throw new InvalidValueError("the file's aliases are too many, or lead nowhere");
  }
}

/** How often the nodes of a document may be repeated in all; a registration needs no alias. */
const MAX_ALIASES = 100;
