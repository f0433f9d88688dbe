/** How a log record looks: one line, whatever is in it. */

import type { LogRecord, TextFormatter } from "@logtape/logtape";

/** Values from outside are cut at this many characters. */
const MAX_VALUE_LENGTH = 200;
/** Messages are ours, but may hold a few such values. */
const MAX_MESSAGE_LENGTH = 2_000;
// Everything that could end a line, move a terminal's cursor or turn the text around.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const PLAIN = /^[\x20-\x7e]*$/;
/** What needs no quotes to be told from the next pair. */
const BARE = /^[\w./:@*+-]+$/;

/** `2026-11-24T10:00:00.000Z INFO  message key=value key="two words"` */
export const formatText: TextFormatter = (record) => {
  let line = `${timeOf(record)} ${record.level.toUpperCase().padEnd(7)} ${messageOf(record)}`;
  for (const [key, value] of Object.entries(record.properties)) {
    if (value === undefined) continue;
    const text = printable(value, MAX_VALUE_LENGTH);
    line += ` ${key}=${BARE.test(text) ? text : JSON.stringify(text)}`;
  }
  return line + "\n";
};

/** One JSON object a line: `time`, `level`, `message`, and the properties beside them. */
export const formatJson: TextFormatter = (record) => {
  const properties = Object.fromEntries(
    Object.entries(record.properties).map(([key, value]) => [
      key,
      typeof value === "number" || value === undefined ? value : printable(value, MAX_VALUE_LENGTH),
    ]),
  );
  const { level } = record;
  const line = { time: timeOf(record), level, message: messageOf(record), ...properties };
  return JSON.stringify(line) + "\n";
};

function timeOf(record: LogRecord): string {
  return new Date(record.timestamp).toISOString();
}

// LogTape takes braces in a message for places to fill in. Ours hold words of other servers, which
// must stay as they are; only LogTape's messages about itself are templates.
function messageOf({ category, message, rawMessage }: LogRecord): string {
  const isOurs = category[0] !== "logtape" && typeof rawMessage === "string";
  return printable(isOurs ? rawMessage : message.join(""), MAX_MESSAGE_LENGTH);
}

function printable(value: unknown, maxLength: number): string {
  const text = String(value);
  if (text.length <= maxLength && PLAIN.test(text)) return text;
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
  return cut.replace(
    UNPRINTABLE,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
