/** How many calls a homeserver takes in a while. */
export interface CallLimit {
  /** Calls a second in the long run. */
  readonly perSecond: number;
  /** Calls at once. */
  readonly burst: number;
}

/** Participants of calls, and what looks after their leaves. */
export interface Scenario {
  /** In calls at any time. Who leaves is followed by somebody else at once. */
  readonly participants: number;
  /** Participants of one room. */
  readonly roomSize: number;
  /** Of each delayed event. */
  readonly delaySeconds: number;
  /** `LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS`; 0: no polling. */
  readonly intervalSeconds: number;
  /** Whether the SFU's webhooks arrive. */
  readonly hasWebhooks: boolean;
  /** How long a participant stays on average; some stay much longer, most not so long. */
  readonly callMinutes: number;
  /** Share of those who do not hang up, but vanish. */
  readonly vanishing: number;
  /** Processes of the service; participants and webhooks are spread over them. */
  readonly replicas: number;
  /** How long the one homeserver takes for an answer. */
  readonly homeserverMs: number;
  /** What the homeserver allows; nothing is refused without one. */
  readonly limit?: CallLimit;
}

/** A call like others, with the service as it is installed. */
export const USUAL: Scenario = {
  participants: 1_000,
  roomSize: 10,
  delaySeconds: 3_600,
  intervalSeconds: 30,
  hasWebhooks: true,
  callMinutes: 30,
  vanishing: 0.05,
  replicas: 1,
  homeserverMs: 10,
};

/** What Synapse allows unless told otherwise. */
export const SYNAPSE_DEFAULT: CallLimit = { perSecond: 1, burst: 5 };

/** What the guide has operators allow. */
export const RECOMMENDED: CallLimit = { perSecond: 100, burst: 200 };

/** How long the SFU takes for an answer. */
export const SFU_MS = 5;
/** How long a webhook is on its way. */
export const WEBHOOK_MS = 50;
/** After how long the SFU notices that somebody has vanished. */
export const VANISHED_AFTER_MS = 21_000;
