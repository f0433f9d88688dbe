/** What real servers take: one Synapse with SQLite, one livekit-server. `.ci/install` has them. */

import { AccessToken, type VideoGrant } from "livekit-server-sdk";
import { startLiveKit } from "../../tests/e2e/support/livekit.ts";
import type { MatrixUser } from "../../tests/e2e/support/matrix_client.ts";
import { createCallRoom, enterRoom } from "../../tests/e2e/support/membership.ts";
import { joinCall } from "../../tests/e2e/support/participant.ts";
import { startSynapse, type Synapse } from "../../tests/e2e/support/synapse.ts";
import { createTestCa } from "../../tests/support/test_ca.ts";
import { type CallCost, childPids, hammer } from "./hammer.ts";

const CONNECTIONS = 16;
const USERS = 5;
/** Synapse keeps no more of one user. */
const EVENTS_OF_USER = 90;
const RESTARTS = 4_000;
const SFU_CALLS = 10_000;
const EVENT_TYPE = "org.matrix.msc3401.call.member";
const UNSTABLE = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events";

/** Restarts and sends one Synapse, each send in a room of its own five members. */
export async function measureSynapse(): Promise<CallCost[]> {
  const ca = await createTestCa();
  await using synapse = await startSynapse({ ca, host: "localhost" });
  const [pid] = await childPids() as [number];
  const delayIds = await scheduleLeaves(synapse);
  using client = Deno.createHttpClient({ caCerts: [ca.pem] });
  const act = (what: "restart" | "send") => async (number: number) => {
    const delayId = encodeURIComponent(delayIds[number % delayIds.length]!);
    const url = `https://${synapse.serverName}${UNSTABLE}/${delayId}/${what}`;
    await succeed(await fetch(url, { client, method: "POST", body: "{}" }), what);
  };
  const connections = CONNECTIONS;
  const restarts = { call: "restart", count: RESTARTS, action: act("restart") };
  const sends = { call: "send", count: delayIds.length, action: act("send") };
  return [
    await hammer({ ...restarts, connections, pid }),
    await hammer({ ...sends, connections, pid }),
  ];
}

async function scheduleLeaves({ client }: Synapse): Promise<string[]> {
  const users: MatrixUser[] = [];
  for (let n = 0; n < USERS; n++) users.push(await client.register(`user${n}`));
  const delayIds: string[] = [];
  const roomId = await createCallRoom(client, users[0]!);
  for (const user of users.slice(1)) await enterRoom(client, user, roomId);
  for (const user of users) {
    for (let n = 0; n < EVENTS_OF_USER; n++) {
      const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/state/${EVENT_TYPE}/` +
        `${encodeURIComponent(`_${user.userId}_${n}_m.call`)}?org.matrix.msc4140.delay=3600000`;
      delayIds.push((await client.request(user, "PUT", path, {})).delay_id);
    }
  }
  return delayIds;
}

/** Asks one livekit-server about a room with ten participants. */
export async function measureLiveKit(): Promise<CallCost[]> {
  await using livekit = await startLiveKit();
  const [pid] = await childPids() as [number];
  const room = "room";
  const identities = Array.from({ length: 10 }, (_, n) => `user${n}`);
  const tokenOf = (grant: VideoGrant, identity = "service") => {
    const token = new AccessToken(livekit.apiKey, livekit.apiSecret, { identity });
    token.addGrant(grant);
    return token.toJwt();
  };
  const token = await tokenOf({ roomAdmin: true, roomCreate: true, roomList: true, room });
  const call = (method: string, body: unknown) => async () => {
    const response = await fetch(`${livekit.httpUrl}/twirp/livekit.RoomService/${method}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    await succeed(response, method);
  };
  await call("CreateRoom", { name: room })();
  await using stack = new AsyncDisposableStack();
  for (const identity of identities) {
    const jwt = await tokenOf({ roomJoin: true, room }, identity);
    stack.use(await joinCall({ url: livekit.url, jwt }));
  }
  const bodies = {
    ListParticipants: { room },
    GetParticipant: { room, identity: identities[0] },
    ListRooms: { names: [room] },
  };
  const costs: CallCost[] = [];
  for (const [method, body] of Object.entries(bodies)) {
    const action = call(method, body);
    costs.push(
      await hammer({ call: method, count: SFU_CALLS, connections: CONNECTIONS, pid, action }),
    );
  }
  return costs;
}

async function succeed(response: Response, what: string): Promise<void> {
  const text = await response.text();
  if (!response.ok) throw new Error(`${what} failed: ${response.status} ${text}`);
}
