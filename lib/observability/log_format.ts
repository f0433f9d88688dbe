/** How a log record looks: one line, whatever is in it. */

import type { LogRecord, TextFormatter } from "@logtape/logtape";
import { printable } from "../outside_text.ts";

/** Values from outside are cut at this many characters. */
const MAX_VALUE_LENGTH = 200;
/** Messages are ours, but may hold a few such values. */
const MAX_MESSAGE_LENGTH = 2_000;
const MAX_KEY_LENGTH = 40;

/** What needs no quotes to be told from the next pair. */
const BARE = /^[\w./:@*+-]+$/;
/** What a message would have to hold to look like a property. */
const PAIR = /(^|\s)([\w.]+)=/g;
/** Fields of their own in JSON. */
const RESERVED = ["time", "level", "message"];

/** `2026-11-24T10:00:00.000Z INFO  message key=value key="two words"` */
export const formatText: TextFormatter = (record) => {
  // A server's words in a message must not pass for the service's own properties.
  const message = messageOf(record).replace(PAIR, "$1$2\\u{3d}");
  let line = `${timeOf(record)} ${record.level.toUpperCase().padEnd(7)} ${message}`;
  for (const [key, value] of Object.entries(record.properties)) {
    if (value === undefined) continue;
    const text = printable(textOf(value), MAX_VALUE_LENGTH);
    line += ` ${bareKey(key)}=${BARE.test(text) ? text : JSON.stringify(text)}`;
  }
  return line + "\n";
};

/**
 * One JSON object a line: `time`, `level`, `message`, and the properties beside them. Numbers and
 * booleans stay what they are, everything else is text.
 */
export const formatJson: TextFormatter = (record) => {
  const properties = Object.fromEntries(
    Object.entries(record.properties).map(([key, value]) => [
      RESERVED.includes(key) ? `property.${key}` : printable(key, MAX_KEY_LENGTH),
      isPlainInJson(value) ? value : printable(textOf(value), MAX_VALUE_LENGTH),
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
  return printable(isOurs ? rawMessage : message.map(textOf).join(""), MAX_MESSAGE_LENGTH);
}

function bareKey(key: string): string {
  return key.slice(0, MAX_KEY_LENGTH).replace(/[^\w.]/g, "_") || "_";
}

function isPlainInJson(value: unknown): boolean {
  return value === undefined || typeof value === "boolean" || Number.isFinite(value);
}

/** Anything may come as a value, also what has no text or throws when it is asked for one. */
function textOf(value: unknown): string {
  try {
    if (value instanceof Date) return value.toJSON() ?? "no date";
    const isBare = typeof value === "object" && value !== null &&
      (Array.isArray(value) || value.toString === Object.prototype.toString);
    // As JSON it shows what is in it, secrets as such.
    return isBare ? JSON.stringify(value) : String(value);
  } catch {
    return "a value without text";
  }
}
