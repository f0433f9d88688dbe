/** How long Redis may take, and replicas wait for one another. */

/** How long things take; all in milliseconds. */
export interface RedisTimes {
  /** How long a replica counts as alive after its last sign of life. */
  readonly leaseMs: number;
  /** How often it gives one. */
  readonly renewMs: number;
  /** How often it looks whether it was stopped. */
  readonly tickMs: number;
  /** How long sends are held back at most while Redis is away; see {@linkcode ReplicaProof}. */
  readonly holdMs: number;
  /** How long the answer to a command may take. */
  readonly commandMs: number;
  /** How long Redis may be silent before a new connection is tried. */
  readonly silenceMs: number;
  /** How often to look for jobs that no replica has written. */
  readonly scanMs: number;
  /** How long opening the store may take until Redis has taken the first command. */
  readonly startMs: number;
  /** How long one connection may take. */
  readonly connectMs: number;
}

/** As the service has them. Jobs of a replica that has died are taken within a lease, a renewal and what taking needs: 15 s. */
export const REDIS_TIMES: RedisTimes = {
  leaseMs: 9_000,
  renewMs: 3_000,
  tickMs: 1_000,
  holdMs: 20_000,
  commandMs: 3_000,
  silenceMs: 10_000,
  scanMs: 30_000,
  startMs: 6_500,
  connectMs: 6_000,
};
