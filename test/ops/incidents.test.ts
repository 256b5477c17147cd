import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IncidentLog } from '../../sidecar/logging/incidents.ts'
import { createLogger } from '../../sidecar/logging/logger.ts'

interface Line {
  level: string
  msg: string
  sinceLastLine?: number
}

function incidents(): { log: IncidentLog; lines: Line[]; clock: { now: number } } {
  const lines: Line[] = []
  const clock = { now: 0 }
  const logger = createLogger('trace', 'test', { write: line => void lines.push(JSON.parse(line) as Line) })
  return { log: new IncidentLog(logger, () => clock.now), lines, clock }
}

test('the first of a kind is logged at once, then one line a minute that says how many there were', () => {
  const { log, lines, clock } = incidents()
  for (let i = 0; i < 1000; i++) {
    clock.now = i * 100
    log.report('warn', 'a kind', {}, 'it happened')
  }
  assert.deepEqual(
    lines.map(({ sinceLastLine }) => sinceLastLine),
    [undefined, 599]
  )
})

test('kinds do not hide each other', () => {
  const { log, lines } = incidents()
  log.report('warn', 'a', {}, 'a')
  log.report('error', 'b', {}, 'b')
  log.report('warn', 'a', {}, 'a')
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [
      ['warn', 'a'],
      ['error', 'b']
    ]
  )
})

test('what comes again after a quiet time is a new incident', () => {
  const { log, lines, clock } = incidents()
  log.report('warn', 'a', {}, 'a')
  clock.now = 60_000
  log.report('warn', 'a', {}, 'a')
  assert.deepEqual(
    lines.map(({ sinceLastLine }) => sinceLastLine),
    [undefined, undefined]
  )
})
