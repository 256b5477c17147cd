import { randomBytes } from 'node:crypto'
import type { Config } from '../config/config.ts'
import { nodeFileSystem } from '../journal/file-system.ts'
import { lockDirectory } from '../journal/lock.ts'
import type { JournalObserver } from '../journal/observer.ts'
import { JournalStore } from './journal-store.ts'
import { MemoryStore } from './memory-store.ts'
import type { EventStore } from './store.ts'

/** A bound of two segments would be full with one that is being written and one that is being delivered. */
const LEAST_SEGMENTS = 4
/** A start reads a segment whole, and places in it are of 32 bits. */
const MOST_SEGMENT_BYTES = 256 * 1024 * 1024

/**
 * The store that INFERENCE_LOGGER_DURABILITY asks for.
 * @throws {JournalInUseError} when another process owns the journal's directory
 */
export function createStore(config: Config, observer: JournalObserver): EventStore {
  const { durability, memoryMaxBytes, whenFull } = config
  if (durability === 'memory') return new MemoryStore(memoryMaxBytes, whenFull)
  return new JournalStore({
    journal: {
      directory: config.journalDir,
      maxBytes: config.journalMaxBytes,
      segmentBytes: Math.min(
        config.journalSegmentBytes,
        Math.floor(config.journalMaxBytes / LEAST_SEGMENTS),
        MOST_SEGMENT_BYTES
      ),
      fsync: durability === 'fsync',
      syncNames: durability !== 'journal',
      fs: nodeFileSystem,
      lock: lockDirectory,
      observer,
      run: randomBytes(8).toString('hex'),
      now: () => performance.now()
    },
    memoryMaxBytes,
    whenFull,
    whenJournalFails: config.whenJournalFails,
    ackTimeoutMs: durability === 'kafka' ? config.ackTimeout : undefined
  })
}
