import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

/** Places in an event's life, in its order, at which kill-points.ts can end the process. */
export const killPoints = [
  // A new segment.
  'after-create',
  'before-header',
  'torn-header',
  'after-header',
  // An event is written, is on the device, is answered.
  'before-write',
  'torn-write',
  'after-write',
  'before-sync',
  'after-sync',
  'before-reply',
  'after-reply',
  // It is given to librdkafka, and acknowledged by Kafka.
  'after-produce',
  'before-report',
  'after-report',
  // That it is not needed any more is noted, and its segment removed.
  'before-released-write',
  'torn-released-write',
  'after-released-write',
  'before-unlink',
  'after-unlink',
  'before-released-unlink',
  'after-released-unlink',
  // What is left of several segments is put into one.
  'before-compaction-write',
  'torn-compaction-write',
  'after-compaction-write',
  'before-rename',
  'after-rename',
  // It can never be delivered, and is set aside.
  'before-letter-write',
  'torn-letter-write',
  'after-letter-write',
  // An earlier run's segments are read, and a torn end cut off.
  'after-read',
  'before-truncate',
  'after-truncate'
] as const
export type KillPoint = (typeof killPoints)[number]

/** The process that is started with this dies at the point. */
export function dieAt(
  point: KillPoint,
  { hit = 1, terminating = false }: { hit?: number; terminating?: boolean } = {}
): { env: Record<string, string>; nodeArguments: string[] } {
  return {
    env: { KILL_POINT: point, KILL_HIT: String(hit), ...(terminating ? { KILL_WHEN: 'terminating' } : {}) },
    nodeArguments: ['--import', pathToFileURL(join(import.meta.dirname, 'kill-points.js')).href]
  }
}
