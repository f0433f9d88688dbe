import { assertEquals, assertMatch } from "@std/assert";
import type { Finding, Verdict } from "../../../lib/diagnosis/check.ts";
import type { Answer, NoAnswer } from "../../../lib/diagnosis/probe.ts";

/** What an answer is made of. */
export interface AnswerParts {
  status?: number;
  /** Text, or a value that is sent as JSON. */
  body?: unknown;
  headers?: Record<string, string | string[]>;
  receivedAt?: number;
  ms?: number;
}

/** Makes an answer as a probe would give it. */
export function answer(parts: AnswerParts = {}): Answer {
  const { status = 200, body = "", headers = {}, receivedAt = 0, ms = 0 } = parts;
  const isText = typeof body === "string";
  const header = (name: string) => [headers[name] ?? []].flat();
  return {
    answered: true,
    status,
    header,
    contentType: header("content-type")[0] ?? (isText ? "text/plain" : "application/json"),
    text: isText ? body : JSON.stringify(body),
    ...!isText && { json: body },
    receivedAt,
    ms,
  };
}

/** A refusal of Matrix's kind, as this service sends it. */
export function refusal(status: number, errcode: string, headers: AnswerParts["headers"] = {}) {
  const own = { "x-request-id": "r1", "access-control-allow-origin": "*", ...headers };
  return answer({ status, body: { errcode, error: "?" }, headers: own });
}

/** Nobody answers. */
export const refused: NoAnswer = {
  answered: false,
  hop: "tcp",
  message: "cannot connect to 192.0.2.1:443 (ECONNREFUSED)",
};

/** Compares a finding with what is expected: a verdict, and a pattern of evidence and remedy. */
export function assertFinding(finding: Finding, verdict: Verdict, says?: RegExp): void {
  assertEquals(finding.verdict, verdict, JSON.stringify(finding));
  assertEquals(finding.remedy !== undefined, verdict === "WARN" || verdict === "FAIL");
  if (says !== undefined) assertMatch(`${finding.evidence} → ${finding.remedy ?? ""}`, says);
}
