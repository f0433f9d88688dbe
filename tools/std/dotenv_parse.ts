// Stands in for @std/dotenv/parse where JSR cannot be reached. npm has no copy of it; Node's parser
// reads the same files, save that it does not expand `$NAME` and keeps a byte order mark.
import { parseEnv } from "node:util";

export function parse(text: string): Record<string, string> {
  return { ...parseEnv(text) } as Record<string, string>;
}
