// A service for tests of the load tool, with faults that the tool must find. Nobody's token is
// verified. By the last digit of the user's number:
//
// - 1: the leave event is not restarted (lost)
// - 2: the leave is sent twice
// - 3: the leave is not sent (missing)
// - 4: the leave is sent while the user is in the call
// - 5: there is no token (refused)

import { createHmac } from "node:crypto";

interface Job {
  digit: number;
  url: string;
  timer?: ReturnType<typeof setInterval>;
}

const env = Deno.env.toObject();
const [server = "", baseUrl = ""] = env.LIVEKIT_CS_API_URL_OVERRIDES!.split("=");
const client = Deno.createHttpClient({
  caCerts: [await Deno.readTextFile(env.MATRIXRTC_CA_FILE!)],
});
const [hostname = "", port] = env.LIVEKIT_JWT_BIND!.split(":");
const jobs = new Map<string, Job>();

async function act(job: Job, action: "restart" | "send"): Promise<void> {
  const url = `${job.url}/${action}`;
  await (await fetch(url, { client, method: "POST", body: "{}" })).body?.cancel();
}

function join(job: Job, delayMs: number): void {
  if (job.digit === 1) return;
  act(job, job.digit === 4 ? "send" : "restart");
  job.timer = setInterval(act, delayMs / 2, job, "restart");
}

async function leave(job: Job): Promise<void> {
  clearInterval(job.timer);
  if (job.digit === 3) return;
  await act(job, "send");
  if (job.digit === 2) await act(job, "send");
}

let delayMs = 0;
Deno.serve({ hostname, port: Number(port), onListen() {} }, async (request) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/healthz") return new Response();
  if (pathname === "/sfu_webhook") {
    const { event, participant } = await request.json();
    const job = jobs.get(participant.identity)!;
    if (event === "participant_joined") join(job, delayMs);
    else await leave(job);
    return new Response();
  }
  const body = await request.json();
  const user: string = body.openid_token.access_token;
  const digit = Number(user.at(-1));
  if (body.delay_id !== undefined) {
    if (digit === 5) return Response.json({}, { status: 429 });
    delayMs = body.delay_timeout;
    const path = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/";
    jobs.set(user, { digit, url: baseUrl + path + body.delay_id });
  }
  if (body.openid_token.matrix_server_name !== server) return Response.json({}, { status: 403 });
  const claims = btoa(JSON.stringify({ sub: user, video: { room: body.room_id } }));
  const signed = `e30.${claims}`;
  const signature = createHmac("sha256", env.LIVEKIT_SECRET!).update(signed).digest("base64url");
  return Response.json({ url: env.LIVEKIT_URL, jwt: `${signed}.${signature}` });
});
