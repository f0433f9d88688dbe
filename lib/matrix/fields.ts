/**
 * Fields of request bodies. `null` counts as absent, what is absent as empty; a
 * wrong JSON type is `M_NOT_JSON`, as it is to a strict decoder.
 */

import { InvalidRequestError } from "./errors.ts";

/** A JSON object of which nothing is known yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** @throws {InvalidRequestError} `M_NOT_JSON` for anything but an object or `null`. */
export function readObject(value: unknown): Fields {
  if (value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw notJson();
  return value as Fields;
}

/**
 * @returns Text that is well-formed; empty where there is none.
 * @throws {InvalidRequestError} `M_NOT_JSON`.
 */
export function readString(fields: Fields, name: string): string {
  const value = fields[name] ?? "";
  // A lone surrogate is no text: it could not be hashed, sent or compared as UTF-8.
  if (typeof value !== "string" || !value.isWellFormed()) throw notJson();
  return value;
}

/**
 * @returns 0 where there is none.
 * @throws {InvalidRequestError} `M_NOT_JSON`.
 */
export function readInteger(fields: Fields, name: string): number {
  const value = fields[name] ?? 0;
  if (!Number.isInteger(value)) throw notJson();
  return value as number;
}

/** Says what is missing, in one sentence at most. */
export function describeMissing(names: readonly string[]): string[] {
  return names.length > 0 ? [`Missing parameters: ${names.join(", ")}`] : [];
}

/** The names of those that are empty, in their order. */
export function namesOfEmpty(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).filter(([, value]) => value === "").map(([name]) => name);
}

/** @throws {InvalidRequestError} `M_BAD_JSON`, naming all faults, if there are any. */
export function refuseIf(faults: readonly string[]): void {
  if (faults.length > 0) throw new InvalidRequestError("M_BAD_JSON", faults.join("; "));
}

function notJson(): InvalidRequestError {
  return new InvalidRequestError("M_NOT_JSON", "Error reading request");
}
