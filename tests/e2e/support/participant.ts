import "./quiet_rtc.ts";
import {
  AudioFrame,
  AudioSource,
  AudioStream,
  DisconnectReason,
  LocalAudioTrack,
  type RemoteTrack,
  Room,
  RoomEvent,
  TrackPublishOptions,
  TrackSource,
} from "@livekit/rtc-node";

/** Where a participant connects to: the reply of the service. */
export interface JoinDetails {
  url: string;
  jwt: string;
}

/** A real WebRTC participant of a call. */
export interface Participant extends AsyncDisposable {
  /** Its identity, as the SFU says. */
  readonly identity: string;
  /** Resolves when the connection was lost for the first time and is back. */
  readonly reconnected: Promise<void>;
  /** Waits until it is out of the call; returns why, as {@linkcode DisconnectReason} names it. */
  disconnected(): Promise<string>;
  /** Publishes a tone until the participant leaves. */
  publishTone(): Promise<void>;
  /** Waits until sound, not silence, of somebody else arrives; returns the publisher's identity. */
  hear(): Promise<string>;
}

const SAMPLE_RATE = 48_000;
/** Ten milliseconds, what WebRTC takes at a time. */
const FRAME_SAMPLES = SAMPLE_RATE / 100;
const TONE_HZ = 440;
const AMPLITUDE = 8_000;
/** How loud a decoded sample must be to be the tone and not a codec's noise. */
const AUDIBLE = 500;
/** From publishing to sound takes a tenth of a second; a busy machine may need longer. */
const HEAR_TIMEOUT_MS = 20_000;
/** Whoever waits for it waits for some seconds of a server's own pace. */
const DISCONNECT_TIMEOUT_MS = 30_000;

/**
 * Connects to the SFU as a client would, media included.
 *
 * @throws {Error} When the SFU refuses the token or the room does not exist.
 */
export async function joinCall({ url, jwt }: JoinDetails): Promise<Participant> {
  const room = new Room();
  const { promise: heard, resolve: noteSound } = Promise.withResolvers<string>();
  room.on(RoomEvent.TrackSubscribed, async (track, _publication, publisher) => {
    // Who leaves at this moment has no track any more.
    const isAudible = await listen(track).catch(() => false);
    if (isAudible) noteSound(publisher.identity);
  });
  const { promise: reconnected, resolve: noteReturn } = Promise.withResolvers<void>();
  room.on(RoomEvent.Reconnected, () => noteReturn());
  const { promise: disconnected, resolve: noteEnd } = Promise.withResolvers<string>();
  room.on(RoomEvent.Disconnected, (reason) => noteEnd(DisconnectReason[reason]!));
  await room.connect(url, jwt, { autoSubscribe: true, dynacast: false });

  const local = room.localParticipant;
  if (local === undefined) throw new Error("Connected without a local participant");
  let playing: Promise<void> | undefined;
  let left = false;
  return {
    identity: local.identity,
    reconnected,
    disconnected: () =>
      within(disconnected, DISCONNECT_TIMEOUT_MS, `${local.identity} was not out of the call`),
    hear: () => within(heard, HEAR_TIMEOUT_MS, `${local.identity} heard nobody`),
    async publishTone() {
      const source = new AudioSource(SAMPLE_RATE, 1);
      const options = new TrackPublishOptions();
      options.source = TrackSource.SOURCE_MICROPHONE;
      await local.publishTrack(LocalAudioTrack.createAudioTrack("tone", source), options);
      playing = playTone(source, () => left);
    },
    async [Symbol.asyncDispose]() {
      left = true;
      await playing;
      await room.disconnect();
    },
  };
}

/** Feeds a sine wave until told to end; the source itself takes frames no faster than they play. */
async function playTone(source: AudioSource, ended: () => boolean): Promise<void> {
  for (let sample = 0; !ended(); sample += FRAME_SAMPLES) {
    const data = Int16Array.from(
      { length: FRAME_SAMPLES },
      (_, i) => AMPLITUDE * Math.sin(2 * Math.PI * TONE_HZ * (sample + i) / SAMPLE_RATE),
    );
    await source.captureFrame(new AudioFrame(data, SAMPLE_RATE, 1, FRAME_SAMPLES));
  }
}

/** Resolves at the first audible frame of a track, or with `false` at its end. */
async function listen(track: RemoteTrack): Promise<boolean> {
  const frames = new AudioStream(track, SAMPLE_RATE, 1).getReader();
  for (;;) {
    const { done, value } = await frames.read();
    if (done) return false;
    if (value.data.some((sample) => Math.abs(sample) > AUDIBLE)) break;
  }
  await frames.cancel();
  return true;
}

async function within<T>(promise: Promise<T>, timeoutMs: number, otherwise: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`${otherwise} within ${timeoutMs} ms`)),
    timeoutMs,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
