import type { Colors } from "./colors.ts";
import type { Exchange, TokenRequest } from "./exchange.ts";

/** Who takes part, for the first lines. */
export interface Cast {
  /** Where the service answers. */
  serviceUrl: string;
  /** The stand-in homeserver. */
  homeserverUrl: string;
  /** The SFU, and whether it is a stand-in. */
  liveKitUrl: string;
  realSfu: boolean;
}

/** What the two servers behind the service were asked meanwhile. */
export interface Witness {
  /** Requests that the homeserver got, `GET /path`. */
  homeserver: string[];
  /** Calls that the SFU got; absent when it is a real one, which does not tell. */
  sfu?: string[];
}

/** What each claim means to somebody who sees one for the first time. */
const CLAIM_NOTES: Record<string, string> = {
  iss: "the API key whose secret signed this",
  sub: "who joins: hash of user, device and member",
  iat: "issued",
  nbf: "not valid before",
  exp: "not valid after",
};
const GRANT_NOTES: Record<string, string> = {
  room: "the room on the SFU: hash of room and slot",
  roomJoin: "may join it",
  roomCreate: "may create rooms",
  canPublish: "may send audio and video",
  canSubscribe: "may receive them",
  canUpdateOwnMetadata: "may change the own metadata",
};
const TIME_CLAIMS = ["iat", "nbf", "exp"];

/**
 * Introduces the service and those around it.
 *
 * @param cast Who and where.
 * @param colors Mark-up.
 * @returns Lines to print.
 */
export function renderCast(cast: Cast, colors: Colors): string {
  const line = (name: string, url: string, note: string) =>
    `  ${name.padEnd(12)}${colors.cyan(url.padEnd(28))}${colors.dim(note)}`;
  const sfuNote = cast.realSfu ? "the real one of LIVEKIT_URL" : "stand-in: LiveKit's room API";
  return [
    colors.bold("matrixrtc-auth: from a Matrix user to a seat in a LiveKit call"),
    "",
    line("homeserver", cast.homeserverUrl, "stand-in: knows Alice and her OpenID token"),
    line("SFU", cast.liveKitUrl, sfuNote),
    line("service", cast.serviceUrl, "the real one"),
    "",
  ].join("\n");
}

/**
 * Tells the exchange in three steps: what was asked, what was answered, what the answer means.
 *
 * @param exchange Request, reply and token.
 * @param witness What homeserver and SFU saw.
 * @param colors Mark-up.
 * @returns Lines to print.
 */
export function renderExchange(exchange: Exchange, witness: Witness, colors: Colors): string {
  const { request, status, reply, milliseconds, token } = exchange;
  const good = status === 200;
  const lines = [
    colors.bold("1  Alice's client shows the service her OpenID token"),
    "",
    `   ${colors.cyan("POST /get_token")}`,
    indent(JSON.stringify(request, null, 2), 3),
    "",
    colors.bold("2  The service asks around and answers"),
    "",
    ...witness.homeserver.map((seen) => `   ${colors.dim("homeserver was asked")}  ${seen}`),
    ...(witness.sfu ?? []).map((seen) => `   ${colors.dim("SFU was told        ")}  ${seen}`),
    "",
    `   ${good ? colors.green("200 OK") : colors.red(String(status))} ` +
    colors.dim(`after ${milliseconds.toFixed(0)} ms`),
    indent(JSON.stringify(reply, null, 2), 3),
    "",
  ];
  if (token !== undefined) {
    const { video = {}, ...claims } = token.claims;
    lines.push(
      colors.bold("3  The SFU will read this from the token and let Alice in"),
      "",
      `   ${colors.dim("header")}`,
      `     ${JSON.stringify(token.header)}`,
      `   ${colors.dim("claims")}`,
      ...renderTable(claims, CLAIM_NOTES, colors),
      `   ${colors.dim("grants")}`,
      ...renderTable(video as Record<string, unknown>, GRANT_NOTES, colors),
      "",
      `   ${colors.green("✓")} signature checked with LiveKit's own SDK`,
      "",
    );
  }
  return lines.join("\n");
}

/**
 * Says how to go on by hand and how to stop.
 *
 * @param url Where the service answers.
 * @param request A request that succeeds.
 * @param colors Mark-up.
 * @returns Lines to print; the command stands alone on its line.
 */
export function renderInvitation(url: string, request: TokenRequest, colors: Colors): string {
  return [
    colors.bold("Now you"),
    "",
    colors.yellow(renderCurl(url, request)),
    "",
    "The service's log follows. Ctrl+C stops everything.",
    "",
  ].join("\n");
}

/**
 * Writes a request as a command for a POSIX shell.
 *
 * @example Ready to be pasted, whatever the body holds
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { renderCurl } from "./render.ts";
 *
 * assertEquals(
 *   renderCurl("http://127.0.0.1:8080", { room: "it's" }),
 *   `curl -sS http://127.0.0.1:8080/get_token -H 'Content-Type: application/json' ` +
 *     String.raw`-d '{"room":"it'\''s"}'`,
 * );
 * ```
 *
 * @param url Where the service answers.
 * @param body What to send.
 * @returns One line.
 */
export function renderCurl(url: string, body: unknown): string {
  const quoted = JSON.stringify(body).replaceAll("'", String.raw`'\''`);
  return `curl -sS ${url}/get_token -H 'Content-Type: application/json' -d '${quoted}'`;
}

function renderTable(
  values: Record<string, unknown>,
  notes: Record<string, string>,
  colors: Colors,
): string[] {
  const shown = Object.entries(values).map(([name, value]) =>
    [name, TIME_CLAIMS.includes(name) ? renderTime(Number(value)) : JSON.stringify(value)] as const
  );
  const nameWidth = Math.max(...shown.map(([name]) => name.length));
  const valueWidth = Math.max(...shown.map(([, value]) => value.length));
  return shown.map(([name, value]) =>
    `     ${colors.cyan(name.padEnd(nameWidth))}  ${value.padEnd(valueWidth)}  ` +
    colors.dim(notes[name] ?? "")
  ).map((line) => line.trimEnd());
}

function renderTime(seconds: number): string {
  return `${seconds} (${new Date(seconds * 1000).toISOString().slice(11, 19)} UTC)`;
}

function indent(text: string, width: number): string {
  return text.split("\n").map((line) => " ".repeat(width) + line).join("\n");
}
