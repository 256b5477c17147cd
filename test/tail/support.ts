import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadCaptured, type CapturedRequest } from '../../cli/demo/captured.ts'
import { packageRoot } from '../../cli/demo/package-root.ts'
import { coloursOf } from '../../cli/tail/colours.ts'
import type { Style } from '../../cli/tail/format.ts'
import type { ConsumedRecord } from '../../cli/tail/record.ts'
import { parseBinary } from '../../sidecar/cloudevents/binary.ts'
import type { CloudEvent } from '../../sidecar/cloudevents/event.ts'
import { buildRecord } from '../../sidecar/records/build.ts'
import type { RecordFormat } from '../../sidecar/records/record.ts'

export const formats: readonly RecordFormat[] = ['cloudevent', 'structured', 'envelope']

/** Without colours, 100 columns wide. */
export const plain: Style = { colours: coloursOf(false), columns: 100, showPosition: false }

export const fixtures = loadCaptured(join(packageRoot(), 'test/fixtures/kserve-requests'))

/** The event that the sidecar makes of a captured request. */
export function eventOf({ raw, body }: CapturedRequest): CloudEvent {
  const head = raw.toString('latin1', 0, raw.length - body.length)
  const rawHeaders = head
    .split('\r\n')
    .slice(1)
    .filter(line => line !== '')
    .flatMap(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()])
  return parseBinary(rawHeaders, body, 'auto', () => {})
}

/** The record that the sidecar makes of an event, as a consumer sees it. */
export function recordIn(format: RecordFormat, event: CloudEvent, offset = 0): ConsumedRecord {
  const options = { format, key: 'id', maxEventBytes: 10_000_000 } as const
  const { topic, key, value, headers } = buildRecord({ event, topic: 'models' }, options)
  return {
    topic,
    partition: 0,
    offset,
    timestamp: Date.UTC(2026, 10, 22, 12),
    key,
    value,
    headers: headers.flatMap(header => Object.entries(header))
  }
}

/** A record made by hand, of an event with these headers. */
export function recordWith(
  headers: Record<string, string>,
  value: Buffer | string | null,
  more: Partial<ConsumedRecord> = {}
): ConsumedRecord {
  return {
    topic: 'models',
    partition: 0,
    offset: 0,
    timestamp: Date.UTC(2026, 10, 22, 12),
    key: null,
    value: typeof value === 'string' ? Buffer.from(value) : value,
    headers: Object.entries(headers),
    ...more
  }
}

/** Compares with golden/<name>.txt; UPDATE_GOLDEN=1 writes it. */
export function assertGolden(name: string, actual: string): void {
  const path = join(packageRoot(), 'test/tail/golden', `${name}.txt`)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, actual)
  assert.equal(actual, readFileSync(path, 'utf8'), `golden/${name}.txt (UPDATE_GOLDEN=1 rewrites it)`)
}
