/** The first question of any connection through a firewall: what is my address (RFC 8489)? */

import { randomBytes } from "node:crypto";
import dgram from "node:dgram";
import { isIPv6 } from "node:net";
import type { Clock } from "../../clock.ts";

const MAGIC_COOKIE = 0x2112a442;
const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const BINDING_ERROR = 0x0111;
const HEADER_BYTES = 20;
/** Datagrams get lost. */
const ATTEMPTS = 3;
const ATTEMPT_MS = 700;

/** Makes a binding request: a header without attributes. */
export function makeBindingRequest(transactionId: Uint8Array): Uint8Array {
  const request = new Uint8Array(HEADER_BYTES);
  const view = new DataView(request.buffer);
  view.setUint16(0, BINDING_REQUEST);
  view.setUint32(4, MAGIC_COOKIE);
  request.set(transactionId, 8);
  return request;
}

/** Whether a datagram answers the request; an error is an answer too. */
export function isBindingAnswer(datagram: Uint8Array, transactionId: Uint8Array): boolean {
  if (datagram.length < HEADER_BYTES) return false;
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const type = view.getUint16(0);
  return (type === BINDING_SUCCESS || type === BINDING_ERROR) &&
    view.getUint32(4) === MAGIC_COOKIE &&
    transactionId.every((byte, i) => datagram[8 + i] === byte);
}

/**
 * Asks a server over UDP.
 *
 * @param address An IP literal without brackets.
 * @returns Whether it has answered within two seconds.
 */
export function answersStun(address: string, port: number, clock: Clock): Promise<boolean> {
  const transactionId = randomBytes(12);
  const request = makeBindingRequest(transactionId);
  const socket = dgram.createSocket(isIPv6(address) ? "udp6" : "udp4");
  return new Promise((resolve) => {
    let isOver = false;
    let cancel = () => {};
    const end = (answered: boolean) => {
      if (isOver) return;
      isOver = true;
      cancel();
      socket.close();
      resolve(answered);
    };
    // A port that nobody listens on may be reported as an error.
    socket.on("error", () => end(false));
    socket.on("message", (datagram: Uint8Array) => {
      if (isBindingAnswer(datagram, transactionId)) end(true);
    });
    const attempt = (left: number) => {
      if (left === 0) return end(false);
      socket.send(request, port, address, () => {});
      cancel = clock.after(ATTEMPT_MS, () => attempt(left - 1));
    };
    attempt(ATTEMPTS);
  });
}
