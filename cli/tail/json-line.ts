import { isUtf8 } from 'node:buffer'
import { isJson } from '../../sidecar/cloudevents/content-type.ts'
import { isJsonText } from '../../sidecar/records/json.ts'
import { recognise, type LoggedEvent } from './recognise.ts'
import type { ConsumedRecord } from './record.ts'

/**
 * Writes a record as one line of JSON: `topic`, `partition`, `offset`, `timestamp` (ms since 1970 or null), `key`,
 * `format`, `kind`, `attributes`, `contentType` (or null), `size` (the payload's bytes), and the payload: `data` is JSON
 * as it was sent (numbers are not rounded) or text, `data_base64` what is neither; none of both for an empty payload,
 * `"tombstone":true` for a null value.
 */
export function jsonLine(record: ConsumedRecord): string {
  const event = recognise(record)
  const head = JSON.stringify({
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    timestamp: record.timestamp ?? null,
    key: record.key === null ? null : record.key.toString('utf8'),
    format: event.format,
    kind: event.kind,
    attributes: Object.fromEntries(event.attributes.map(({ name, value }) => [name, value])),
    contentType: event.contentType ?? null,
    size: event.data?.length ?? 0
  })
  const line = `${head.slice(0, -1)}${payloadMember(event)}}`
  // The same JSON without characters that a terminal would obey; JSON.stringify escapes the rest.
  return line.replace(/[\u007f-\u009f\u2028\u2029]|\p{Cf}/gu, escape)
}

function payloadMember({ data, contentType }: LoggedEvent): string {
  if (data === null) return ',"tombstone":true'
  if (data.length === 0) return ''
  if (isUtf8(data)) {
    const text = data.toString('utf8')
    // KServe labels what curl sends as a form: an object or an array is JSON whatever its label says.
    if ((isJson(contentType) || /^\s*[{[]/.test(text)) && isJsonText(text)) return `,"data":${onOneLine(text)}`
    return `,"data":${JSON.stringify(text)}`
  }
  return `,"data_base64":"${data.toString('base64')}"`
}

/** In JSON a line break is never inside a string, and neither is the blank space beside it. */
function onOneLine(json: string): string {
  return json
    .split(/[\r\n]+/)
    .map(line => line.trim())
    .join('')
}

function escape(character: string): string {
  let escaped = ''
  for (let i = 0; i < character.length; i++) escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`
  return escaped
}
