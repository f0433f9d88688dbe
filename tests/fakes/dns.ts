import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import { once } from "node:events";

/** What the fake name server says about one name. */
export interface DnsEntry {
  /** IPv4 addresses. */
  A?: string[];
  /** IPv6 addresses, in any form that `URL` takes between brackets. */
  AAAA?: string[];
  /** Service records; a target of `.` means that the service is not offered. */
  SRV?: { priority?: number; weight?: number; port: number; target: string }[];
  /** The canonical name; answered in place of any other type. */
  CNAME?: string;
  /** Misbehaves for every type: a failing server, or one that stays silent. */
  failure?: "SERVFAIL" | "REFUSED" | "silence";
}

/** A question that arrived. */
export interface DnsQuery {
  /** The name in lower case, without a dot at the end. */
  name: string;
  /** The record type: `"SRV"`, or `"TYPE65"` for those that the fake does not know. */
  type: string;
}

/** A fake name server that listens. `await using dns = …` closes it with the block. */
export interface DnsServer extends AsyncDisposable {
  /** The UDP port that the system picked. */
  readonly port: number;
  /** What goes into `Deno.resolveDns` to ask here. */
  readonly nameServer: { ipAddr: string; port: number };
  /** Every question so far, oldest first. Tests may empty it. */
  readonly queries: DnsQuery[];
  /** How often a name was asked for, of one type or of all. */
  count(name: string, type?: string): number;
  /** What it knows, to be changed at will. */
  readonly zone: Record<string, DnsEntry>;
  /** Stops listening. */
  close(): Promise<void>;
}

const TYPES: Record<number, "A" | "CNAME" | "AAAA" | "SRV"> = {
  1: "A",
  5: "CNAME",
  28: "AAAA",
  33: "SRV",
};
const TYPE_NUMBERS = { A: 1, CNAME: 5, AAAA: 28, SRV: 33 };
const CLASS_IN = 1;
const TTL_SECONDS = 60;
const RCODES = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 };

/**
 * Starts a name server on the loopback interface that answers from a table. A name outside the
 * table does not exist; a type that a name lacks is answered with nothing.
 *
 * @example A service record
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { startDnsServer } from "./dns.ts";
 *
 * await using dns = await startDnsServer({
 *   "_matrix-fed._tcp.example.org": { SRV: [{ port: 8448, target: "matrix.example.org" }] },
 * });
 * const { nameServer } = dns;
 * const [record] = await Deno.resolveDns("_matrix-fed._tcp.example.org", "SRV", { nameServer });
 * assertEquals([record?.target, record?.port], ["matrix.example.org.", 8448]);
 * assertEquals(dns.count("_matrix-fed._tcp.example.org", "SRV"), 1);
 * ```
 *
 * @param zone What each name, in lower case, is answered with.
 * @returns The name server, listening already.
 */
export async function startDnsServer(zone: Record<string, DnsEntry>): Promise<DnsServer> {
  const socket = createSocket("udp4");
  const queries: DnsQuery[] = [];
  socket.on("message", (message, { address, port }) => {
    const question = parseQuestion(message);
    if (question === undefined) return;
    queries.push({ name: question.name, type: question.type });
    const entry = Object.hasOwn(zone, question.name) ? zone[question.name] : undefined;
    if (entry?.failure === "silence") return;
    socket.send(createAnswer(message, question, entry), port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();

  let closing: Promise<void> | undefined;
  const close = () => closing ??= new Promise((resolve) => socket.close(() => resolve()));
  return {
    port,
    nameServer: { ipAddr: "127.0.0.1", port },
    queries,
    count: (name, type) =>
      queries.filter((query) => query.name === name && (type ?? query.type) === query.type).length,
    zone,
    close,
    [Symbol.asyncDispose]: close,
  };
}

interface Question extends DnsQuery {
  /** Where the question ends in the message. */
  end: number;
}

/** Reads the one question that resolvers send, RFC 1035 §4.1.2; anything else is nothing. */
function parseQuestion(message: Uint8Array): Question | undefined {
  const view = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  if (view.length < 17 || view.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = 12;
  while (true) {
    const length = view[at++];
    if (length === undefined || length > 63 || at + length + 4 > view.length) return undefined;
    if (length === 0) break;
    labels.push(view.toString("latin1", at, at += length));
  }
  const number = view.readUInt16BE(at);
  const name = labels.join(".").toLowerCase();
  return { name, type: TYPES[number] ?? `TYPE${number}`, end: at + 4 };
}

function createAnswer(query: Uint8Array, question: Question, entry?: DnsEntry): Uint8Array {
  const rcode = entry === undefined ? "NXDOMAIN" : entry.failure ?? "NOERROR";
  const records = rcode === "NOERROR" && entry ? toRecords(question.type, entry) : [];
  const header = Buffer.alloc(12);
  header.set(query.subarray(0, 2)); // ID
  // A response, authoritative, recursion available, recursion desired as in the query.
  header.writeUInt16BE(0x8480 | ((query[2]! & 1) << 8) | RCODES[rcode as keyof typeof RCODES], 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, query.subarray(12, question.end), ...records]);
}

function toRecords(type: string, entry: DnsEntry): Uint8Array[] {
  if (entry.CNAME !== undefined) return [toRecord("CNAME", encodeName(entry.CNAME))];
  switch (type) {
    case "A":
      return (entry.A ?? []).map((address) =>
        toRecord("A", Buffer.from(address.split(".").map(Number)))
      );
    case "AAAA":
      return (entry.AAAA ?? []).map((address) => toRecord("AAAA", encodeIpv6(address)));
    case "SRV":
      return (entry.SRV ?? []).map(({ priority = 0, weight = 0, port, target }) => {
        const fixed = Buffer.alloc(6);
        fixed.writeUInt16BE(priority, 0);
        fixed.writeUInt16BE(weight, 2);
        fixed.writeUInt16BE(port, 4);
        return toRecord("SRV", Buffer.concat([fixed, encodeName(target)]));
      });
    default:
      return [];
  }
}

function toRecord(type: keyof typeof TYPE_NUMBERS, data: Uint8Array): Uint8Array {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0); // the question's name
  head.writeUInt16BE(TYPE_NUMBERS[type], 2);
  head.writeUInt16BE(CLASS_IN, 4);
  head.writeUInt32BE(TTL_SECONDS, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function encodeName(name: string): Uint8Array {
  const labels = name.split(".").filter((label) => label !== "");
  return Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ]);
}

function encodeIpv6(address: string): Uint8Array {
  // URL writes every form in one: groups of hexadecimal digits with at most one gap.
  const text = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [left = [], right = []] = text.split("::").map((side) => side.split(":").filter(Boolean));
  const gap = Array<string>(8 - left.length - right.length).fill("0");
  const data = Buffer.alloc(16);
  [...left, ...gap, ...right].forEach((group, i) => data.writeUInt16BE(parseInt(group, 16), 2 * i));
  return data;
}
