import type { Mistake } from './errors.ts'
import { formatBytes } from './units.ts'
import { variables, type Settings } from './variables.ts'

/** librdkafka gives a leader that hangs up after `socket.timeout.ms`, which is 15 s here, and then needs a moment. */
const STALL_TIMEOUT_MIN_MS = 20_000

/**
 * Finds values that are right alone and wrong together.
 * @param settings those that parsed; what did not is a mistake already, and is not compared
 */
export function contradictions(settings: Partial<Settings>): { mistakes: Mistake[]; warnings: string[] } {
  const mistakes: Mistake[] = []
  const warnings: string[] = []
  const { durability, topic, deadLetterTopic, stallTimeout } = settings
  if (durability !== 'memory') mistakes.push(...tooSmallForAnEvent(settings, 'journalMaxBytes', 'the journal'))
  mistakes.push(...tooSmallForAnEvent(settings, 'deadLetterMaxBytes', 'the dead letters’ files'))
  if (deadLetterTopic !== undefined && deadLetterTopic === topic?.text) {
    mistakes.push({
      variable: variables.deadLetterTopic.name,
      value: deadLetterTopic,
      advice: `has to be another topic than ${variables.topic.name}: its records are notes about events and no events`
    })
  }
  if (stallTimeout !== undefined && stallTimeout < STALL_TIMEOUT_MIN_MS) {
    warnings.push(
      `${variables.stallTimeout.name} is below ${STALL_TIMEOUT_MIN_MS / 1000}s: a producer is replaced that would have ` +
        'gone on by itself, and what was in flight may arrive twice'
    )
  }
  return { mistakes, warnings }
}

/**
 * Half of a bound has to hold the largest event: an event is written with its attributes, as base64 among the dead
 * letters, and beside others.
 */
function tooSmallForAnEvent(
  settings: Partial<Settings>,
  bound: 'journalMaxBytes' | 'deadLetterMaxBytes',
  what: string
): Mistake[] {
  const { [bound]: bytes, maxEventBytes } = settings
  if (bytes === undefined || maxEventBytes === undefined || bytes >= 2 * maxEventBytes) return []
  const { name } = variables.maxEventBytes
  const advice =
    `is too small for the largest event (${name}=${formatBytes(maxEventBytes)}), which ${what} could not hold; ` +
    `raise it to ${formatBytes(2 * maxEventBytes)}, or lower ${name}`
  return [{ variable: variables[bound].name, value: formatBytes(bytes), advice }]
}
