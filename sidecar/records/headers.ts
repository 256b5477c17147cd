import type { CloudEvent } from '../cloudevents/event.ts'
import type { RecordHeader } from './record.ts'

type HeaderMaker = (value: string) => RecordHeader

/** Attributes that differ in every event: a literal of its own gives each header a shape that V8 knows (measured: 1.5 µs an event). */
const makers = new Map<string, HeaderMaker>([
  ['id', value => ({ ce_id: value })],
  ['time', value => ({ ce_time: value })],
  ['recordedtime', value => ({ ce_recordedtime: value })],
  ['receivedtime', value => ({ ce_receivedtime: value })]
])
const MAX_CACHED_NAMES = 2000

/** The maker of an attribute's header. Most attributes are the same in every event: so is their header, and it is shared. */
function makerOf(attributeName: string): HeaderMaker {
  let maker = makers.get(attributeName)
  if (maker === undefined) {
    const header = attributeName === 'datacontenttype' ? 'content-type' : `ce_${attributeName}`
    let lastValue: string | undefined
    let last: RecordHeader = {}
    maker = value => {
      if (value !== lastValue) {
        last = { [header]: value }
        lastValue = value
      }
      return last
    }
    if (makers.size < MAX_CACHED_NAMES) makers.set(attributeName, maker)
  }
  return maker
}

/**
 * The record's headers in binary content mode (Kafka binding 3.2.3): `ce_` and the attribute's name, values as UTF-8
 * text that is not percent-encoded, `datacontenttype` as `content-type`. In the order in which the attributes came.
 * @param contentType replaces the event's `datacontenttype`, at the front (structured mode)
 * @param omit an attribute to leave out
 */
export function headersOf(event: CloudEvent, contentType?: string, omit?: string): RecordHeader[] {
  const headers: RecordHeader[] = contentType === undefined ? [] : [{ 'content-type': contentType }]
  for (const { name, value } of event.attributes) {
    if (name === omit || (contentType !== undefined && name === 'datacontenttype')) continue
    headers.push(makerOf(name)(typeof value === 'string' ? value : String(value)))
  }
  return headers
}
