/**
 * The headers by which proxies tell for whom they ask. Each proxy adds at the right end, so that is
 * where reading starts: what stands further left may come from whoever wants to be somebody else.
 */

/** More is not looked at: no chain of proxies is as long. */
const MAX_ENTRIES = 32;
const MAX_LENGTH = 8 * 1024;

/**
 * Reads the addresses of `X-Forwarded-For`, or of `Forwarded` (RFC 7239) where there is no other,
 * from the right.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readForwarded } from "./forwarded.ts";
 *
 * const headers = new Headers({ forwarded: 'for=203.0.113.7, for="[2001:db8::1]:4711";by=x' });
 * assertEquals([...readForwarded(headers)], ["2001:db8::1", "203.0.113.7"]);
 * ```
 *
 * @returns What stands in place of an address, without port and brackets; entries may also be
 * `unknown`, names, or anything else. Ends before the first one that does not have the header's form.
 */
export function* readForwarded(headers: Headers): Generator<string> {
  // Most proxies write this one alone and pass on what a client says in the other.
  const forwardedFor = headers.get("x-forwarded-for");
  const text = forwardedFor ?? headers.get("forwarded") ?? "";
  const nodeOf = forwardedFor === null ? forNode : (entry: string) => entry;
  for (const entry of fromTheRight(text, ",")) {
    const node = nodeOf(entry);
    if (node === undefined) return;
    yield withoutPort(node);
  }
}

/** The parts between separators that are not quoted, blanks and empty parts left out. */
function* fromTheRight(text: string, separator: string): Generator<string> {
  const start = Math.max(0, text.length - MAX_LENGTH);
  let [end, isQuoted, count] = [text.length, false, 0];
  for (let i = text.length - 1; i >= start - 1; i--) {
    if (i >= start) {
      if (text[i] === '"' && !isEscaped(text, i)) isQuoted = !isQuoted;
      if (text[i] !== separator || isQuoted) continue;
    } else if (start > 0) return; // The rest of this entry was not looked at.
    const entry = text.slice(i + 1, end).trim();
    end = i;
    if (entry === "") continue;
    if (++count > MAX_ENTRIES) return;
    yield entry;
  }
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === "\\") backslashes++;
  return backslashes % 2 === 1;
}

/** The value of `for` in `for=192.0.2.43;proto=https`. */
function forNode(element: string): string | undefined {
  const nodes = [...fromTheRight(element, ";")]
    .map((pair) => /^for=(?:"([^"\\]*)"|([^"\s]+))$/i.exec(pair))
    .filter((match) => match !== null);
  return nodes.length === 1 ? nodes[0]![1] ?? nodes[0]![2] : undefined;
}

/** `192.0.2.1` of `192.0.2.1:4711`, `2001:db8::1` of `[2001:db8::1]:4711`. */
function withoutPort(node: string): string {
  const [, inBrackets, ipv4] = /^(?:\[([^\]]*)\]|([0-9.]+))(?::[0-9]{1,5})?$/.exec(node) ?? [];
  return inBrackets ?? ipv4 ?? node;
}
