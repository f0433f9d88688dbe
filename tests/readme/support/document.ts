import { join } from "node:path";
import { ROOT } from "../../support/service.ts";

/** A fenced block of a document. */
export interface Block {
  /** The word after the fence: `sh`, `nginx` … */
  readonly language: string;
  readonly text: string;
  /** The nearest heading above it. */
  readonly heading: string;
}

/** A row of a table, cell by cell, as written. */
export interface Row {
  readonly cells: readonly string[];
  /** Cells of the table's first line. */
  readonly columns: readonly string[];
  /** The nearest heading above it. */
  readonly heading: string;
}

/** What tests need of a Markdown file. */
export interface Document {
  readonly text: string;
  readonly headings: readonly string[];
  readonly blocks: readonly Block[];
  readonly rows: readonly Row[];
  /** What stands between backticks outside of blocks. */
  readonly codes: readonly string[];
  /** Targets of links. */
  readonly links: readonly string[];
}

/**
 * Reads a Markdown file of the project. Not all of Markdown: what `deno fmt` leaves of it.
 *
 * @param path From the project's folder.
 */
export async function readDocument(path: string): Promise<Document> {
  const text = await Deno.readTextFile(join(ROOT, path));
  const headings: string[] = [];
  const blocks: Block[] = [];
  const rows: Row[] = [];
  const prose: string[] = [];
  let fence: { language: string; lines: string[] } | undefined;
  let columns: readonly string[] | undefined;
  for (const line of text.split("\n")) {
    const heading = headings.at(-1) ?? "";
    const fenceStart = /^\s*```(\w*)/.exec(line);
    if (fence !== undefined) {
      if (fenceStart === null) fence.lines.push(line);
      else {
        blocks.push({ language: fence.language, text: fence.lines.join("\n") + "\n", heading });
        fence = undefined;
      }
      continue;
    }
    if (fenceStart !== null) {
      fence = { language: fenceStart[1]!, lines: [] };
      continue;
    }
    prose.push(line);
    const title = /^#+ (.*)$/.exec(line)?.[1];
    if (title !== undefined) headings.push(title);
    const cells = cellsOf(line);
    if (cells === undefined) columns = undefined;
    else if (columns === undefined) columns = cells;
    else if (!/^[|\s:-]+$/.test(line)) rows.push({ cells, columns, heading });
  }
  if (fence !== undefined) throw new Error(`${path} ends within a block`);
  const plain = prose.join("\n");
  return {
    text,
    headings,
    blocks,
    rows,
    codes: [...plain.matchAll(/`([^`]+)`/g)].map((match) => match[1]!.replace(/\s+/g, " ")),
    links: [...plain.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!),
  };
}

/** The anchor that a heading gets when the document is shown. */
export function anchorOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}

function cellsOf(line: string): string[] | undefined {
  if (!/^\|.*\|$/.test(line)) return undefined;
  return line.slice(1, -1).split("|").map((cell) => cell.trim());
}

/** A command of a shell block. */
export interface ShellCommand {
  /** The line as written, its continuation lines joined. */
  readonly line: string;
  /** Assignments before the program. */
  readonly env: Readonly<Record<string, string>>;
  /** Program and arguments. */
  readonly words: readonly string[];
  /** The file that takes what is written to standard output. */
  readonly output?: string;
}

/** Takes a shell block apart. It knows no quotes, pipes or substitutions, and finds none. */
export function shellCommands(block: string): ShellCommand[] {
  const lines = block.replace(/\\\n\s*/g, "").split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("#")).map((line) => {
    const [, command, output] = /^(.*?)(?: > (\S+))?$/.exec(line)!;
    if (/["'`$|;&<>]/.test(command!)) {
      throw new Error(`the tests cannot read this command: ${line}`);
    }
    const words = command!.split(/\s+/);
    const env: Record<string, string> = {};
    while (/^\w+=/.test(words[0] ?? "")) {
      const [name, ...value] = words.shift()!.split("=");
      env[name!] = value.join("=");
    }
    return { line, env, words, ...(output === undefined ? {} : { output }) };
  });
}
