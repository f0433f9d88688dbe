import type { LiveKitRoom } from "../signing/names.ts";
import type { WatchedJob, WatchedJobs } from "./sfu_view.ts";

/** The jobs whose participants have been seen, kept by room. */
export class WatchedJobsByRoom implements WatchedJobs {
  readonly #rooms = new Map<LiveKitRoom, Set<WatchedJob>>();
  /** Called when there is a job to watch after there was none. */
  onFirst: () => void = () => {};

  rooms(): Iterable<LiveKitRoom> {
    return this.#rooms.keys();
  }

  inRoom(room: LiveKitRoom): Iterable<WatchedJob> {
    return this.#rooms.get(room) ?? [];
  }

  add(job: WatchedJob): void {
    const { room } = job.job;
    const jobs = this.#rooms.get(room);
    if (jobs !== undefined) {
      jobs.add(job);
      return;
    }
    this.#rooms.set(room, new Set([job]));
    if (this.#rooms.size === 1) this.onFirst();
  }

  remove(job: WatchedJob): void {
    const { room } = job.job;
    const jobs = this.#rooms.get(room);
    if (jobs?.delete(job) && jobs.size === 0) this.#rooms.delete(room);
  }
}
