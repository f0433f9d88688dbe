/** A relay in front of a real server that holds back what arrives until it is opened. */
export interface Gate extends AsyncDisposable {
  readonly port: number;
  /** Resolves when the first connection has arrived. */
  readonly reached: Promise<void>;
  /** Connections accepted so far. */
  readonly connections: number;
  /** Lets everything through from now on. */
  open(): void;
}

/**
 * Starts a relay to a port of 127.0.0.1, closed at first.
 *
 * It makes the moment visible at which a request is in work, which no real server tells.
 */
export function startGate(targetPort: number): Gate {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
  const relays: Promise<void>[] = [];
  const held = new Set<Deno.Conn>();
  let connections = 0;

  async function relay(incoming: Deno.Conn): Promise<void> {
    held.add(incoming);
    await opened;
    const outgoing = await Deno.connect({ hostname: "127.0.0.1", port: targetPort });
    held.add(outgoing);
    await Promise.allSettled([
      incoming.readable.pipeTo(outgoing.writable),
      outgoing.readable.pipeTo(incoming.writable),
    ]);
  }
  const accepting = (async () => {
    for await (const incoming of listener) {
      connections++;
      reach();
      relays.push(relay(incoming));
    }
  })();
  return {
    port: listener.addr.port,
    reached,
    get connections() {
      return connections;
    },
    open,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      open();
      for (const connection of held) {
        try {
          connection.close();
        } catch {
          // Its streams have closed it already.
        }
      }
      await Promise.allSettled(relays);
    },
  };
}
