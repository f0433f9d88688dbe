import { startRawServer, writeAll } from "../../fakes/raw_server.ts";

/** A server that speaks Redis's protocol and knows no more than lk-jwt-service needs. */
export interface FourCommands extends AsyncDisposable {
  readonly url: string;
  /** The hash, whatever its key. */
  readonly jobs: ReadonlyMap<string, string>;
  /** Other commands that it was asked. */
  readonly unknown: ReadonlySet<string>;
  /** Closes all connections; new ones are welcome. */
  dropConnections(): void;
  /** Answers nothing any more on the connections that there are. */
  mute(): void;
}

/**
 * Starts a server that knows PING, HSET, HDEL and HGETALL, and answers anything else with an error.
 *
 * @param options.loadingFor How many commands it answers first as if it were still loading its data.
 */
export function startFourCommands({ loadingFor = 0 } = {}): FourCommands {
  const jobs = new Map<string, string>();
  const unknown = new Set<string>();
  const open = new Set<Deno.Conn>();
  const muted = new WeakSet<Deno.Conn>();

  function answer([name = "", , ...args]: string[]): string {
    if (loadingFor-- > 0) return "-LOADING Redis is loading the dataset in memory\r\n";
    switch (name.toUpperCase()) {
      case "PING":
        return "+PONG\r\n";
      case "HSET":
        for (let i = 0; i + 1 < args.length; i += 2) jobs.set(args[i]!, args[i + 1]!);
        return ":1\r\n";
      case "HDEL":
        return `:${args.filter((field) => jobs.delete(field)).length}\r\n`;
      case "HGETALL": {
        const parts = [...jobs].flat().map((text) =>
          `$${new TextEncoder().encode(text).length}\r\n${text}\r\n`
        );
        return `*${parts.length}\r\n${parts.join("")}`;
      }
      default:
        unknown.add(name.toUpperCase());
        return `-ERR unsupported command\r\n`;
    }
  }

  const server = startRawServer({
    async handle(connection) {
      open.add(connection);
      let rest = "";
      for await (const chunk of connection.readable.pipeThrough(new TextDecoderStream())) {
        rest += chunk;
        for (let read = readCommand(rest); read !== undefined; read = readCommand(rest)) {
          rest = rest.slice(read.length);
          if (!muted.has(connection)) await writeAll(connection, answer(read.words));
        }
      }
    },
  });
  return {
    url: `redis://127.0.0.1:${server.port}`,
    jobs,
    unknown,
    dropConnections() {
      for (const connection of open) connection.close();
      open.clear();
    },
    mute: () => open.forEach((connection) => muted.add(connection)),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** The first whole command of a text; enough for texts of one byte a character. */
function readCommand(text: string): { words: string[]; length: number } | undefined {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (head === null) return undefined;
  let at = head[0].length;
  const words: string[] = [];
  for (let n = 0; n < Number(head[1]); n++) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at));
    if (size === null) return undefined;
    at += size[0].length;
    const end = at + Number(size[1]);
    if (text.length < end + 2) return undefined;
    words.push(text.slice(at, end));
    at = end + 2;
  }
  return { words, length: at };
}
