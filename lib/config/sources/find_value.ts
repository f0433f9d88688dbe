import type { Findings } from "../findings.ts";
import { InvalidValueError } from "../parse/invalid_value.ts";
import { isNotFound, MAX_SMALL_FILE_BYTES } from "../parse/read_text.ts";
import { printable } from "../parse/quote_value.ts";
import type { Found, OpenSources } from "./sources.ts";
import type { OtherName, Variable } from "../variables/variable.ts";

/**
 * Finds a variable's text in the first place that has it: older file names, `…_FROM_FILE`, the
 * variable itself, a systemd credential, other names.
 *
 * @example A secret's file wins over the secret itself
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { findValue } from "./find_value.ts";
 * import { Findings } from "../findings.ts";
 * import { openSources } from "./sources.ts";
 * import { VARIABLES } from "../variables/variables.ts";
 *
 * const sources = openSources({
 *   env: { LIVEKIT_SECRET: "b", LIVEKIT_SECRET_FROM_FILE: "/run/secret" },
 *   readFile: () => "a\n",
 * });
 * const found = findValue("LIVEKIT_SECRET", VARIABLES.LIVEKIT_SECRET, sources, new Findings());
 * assertEquals(found?.text, "a");
 * assertEquals(found?.source, "file /run/secret (LIVEKIT_SECRET_FROM_FILE)");
 * ```
 *
 * @param findings Gets the faults of files that cannot be read, and advice on old names.
 * @returns `undefined` if no place has it; see `findings` whether that is a fault.
 */
export function findValue(
  name: string,
  variable: Variable,
  sources: OpenSources,
  findings: Findings,
): Found | undefined {
  const otherNames = variable.otherNames ?? [];
  const isSecret = variable.secret === "value";
  const candidates: (() => Found | undefined)[] = [
    ...otherNames.filter(({ kind }) => kind === "file").map((other) => () => {
      return fromFile(name, other.name, sources, findings);
    }),
    ...(isSecret ? [() => fromFile(name, `${name}_FROM_FILE`, sources, findings)] : []),
    () => sources.find(name),
    ...(isSecret ? [() => fromCredential(name, sources, findings)] : []),
    ...otherNames.filter(({ kind }) => kind === "value").map((other) => () => {
      return fromOtherName(other, sources, findings);
    }),
  ];
  let found: Found | undefined;
  for (const candidate of candidates) {
    found = candidate();
    if (found !== undefined || findings.isFaulty(name)) break;
  }
  giveAdvice(name, otherNames, found, sources, findings);
  return found;
}

/** Says which names are old and which of several given ones are not looked at. */
function giveAdvice(
  name: string,
  otherNames: readonly OtherName[],
  found: Found | undefined,
  sources: OpenSources,
  findings: Findings,
): void {
  for (const { name: otherName, advice, convert } of otherNames) {
    const other = sources.find(otherName);
    if (other === undefined || advice === undefined) continue;
    if (convert !== undefined && convert(other.text) === undefined) continue;
    findings.warn(otherName, advice);
  }
  if (found === undefined || found.variable === name) return;
  const ownText = sources.find(name)?.text;
  if (ownText !== undefined && ownText !== found.text) {
    findings.warn(name, `is ignored because ${found.variable} is set too`);
  }
}

function fromFile(
  name: string,
  fileVariable: string,
  sources: OpenSources,
  findings: Findings,
): Found | undefined {
  const path = sources.find(fileVariable);
  if (path === undefined) return undefined;
  try {
    const text = sources.readFile(path.text, MAX_SMALL_FILE_BYTES).trim();
    const source = `file ${printable(path.text)} (${fileVariable})`;
    return { text, variable: fileVariable, source };
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    findings.refuse(name, path, error, {
      accepts: "the path of a file with just the value",
      secret: "file",
    });
    return undefined;
  }
}

function fromCredential(
  name: string,
  sources: OpenSources,
  findings: Findings,
): Found | undefined {
  const folder = sources.find("CREDENTIALS_DIRECTORY");
  if (folder === undefined) return undefined;
  const path = `${folder.text.replace(/\/+$/, "")}/${name}`;
  try {
    const text = sources.readFile(path, MAX_SMALL_FILE_BYTES).trim();
    return { text, variable: name, source: `credential ${name}` };
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    // A unit has credentials for some secrets only; for the others this is the usual case.
    if (isNotFound(error)) return undefined;
    findings.refuse(name, { text: path, variable: name, source: "credential" }, error, {
      accepts: "a readable credential with just the value",
      secret: "file",
    });
    return undefined;
  }
}

function fromOtherName(
  { name, convert }: OtherName,
  sources: OpenSources,
  findings: Findings,
): Found | undefined {
  const found = sources.find(name);
  if (found === undefined) return undefined;
  const text = convert === undefined ? found.text : convert(found.text);
  if (text === undefined) {
    findings.warn(name, "is ignored: it looks like a service link of Kubernetes, not like a port");
    return undefined;
  }
  return { text, variable: name, source: `${found.source} (${name})` };
}
