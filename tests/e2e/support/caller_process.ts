import { joinCall, type Participant } from "./participant.ts";
import { TextLineStream } from "./text_lines.ts";

// The process behind caller.ts: what a browser is to a user, so that it can be killed like one. Takes
// a JSON object a line, and says in the same way what came of it.

/** What caller.ts asks of the process. */
export type CallerCommand =
  | { do: "join"; url: string; jwt: string }
  | { do: "hang up" };

/** What the process tells. */
export type CallerNews =
  | { news: "ready" }
  | { news: "joined"; identity: string }
  | { news: "reconnected" }
  | { news: "hung up" }
  | { news: "failed"; message: string };

/** Those that joined, the newest last; the SFU throws out older ones of the same identity. */
const joined: Participant[] = [];

async function obey(command: CallerCommand): Promise<CallerNews> {
  if (command.do === "join") {
    const participant = await joinCall(command);
    joined.push(participant);
    participant.reconnected.then(() => tell({ news: "reconnected" }));
    return { news: "joined", identity: participant.identity };
  }
  for (const participant of joined.splice(0).reverse()) await participant[Symbol.asyncDispose]();
  return { news: "hung up" };
}

function tell(news: CallerNews): void {
  console.log(JSON.stringify(news));
}

if (import.meta.main) {
  tell({ news: "ready" });
  for await (const line of Deno.stdin.readable.pipeThrough(new TextLineStream())) {
    try {
      tell(await obey(JSON.parse(line)));
    } catch (error) {
      tell({ news: "failed", message: String(error) });
    }
  }
  // The tests have gone. Native threads would keep the process alive.
  Deno.exit(0);
}
