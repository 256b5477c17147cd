import { isUtf8 } from 'node:buffer'
import { isJson, isText } from '../cloudevents/content-type.ts'
import { attribute, type CloudEvent } from '../cloudevents/event.ts'
import { isJsonText } from './json.ts'

/** Members of the JSON format that are not attributes: an (illegal) attribute of that name stays in the headers only. */
const NOT_ATTRIBUTES: ReadonlySet<string> = new Set(['data', 'data_base64'])

/** The content type of a structured record (Kafka binding 3.3.1). */
export const STRUCTURED_CONTENT_TYPE = 'application/cloudevents+json; charset=UTF-8'

/**
 * Writes an event in the JSON event format (Kafka binding 3.3). JSON data stands in it exactly as it was sent; what is
 * no JSON becomes a string where the content type says text, else `data_base64`.
 */
export function structuredValue(event: CloudEvent): Buffer {
  const contentType = attribute(event, 'datacontenttype')
  const members = event.attributes
    .filter(({ name }) => !NOT_ATTRIBUTES.has(name))
    .map(({ name, value }) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
  const data = dataMember(event.data, contentType === undefined ? undefined : String(contentType))
  if (data !== undefined) members.push(data)
  return Buffer.from(`{${members.join(',')}}`, 'utf8')
}

function dataMember(data: Buffer, contentType: string | undefined): string | undefined {
  if (data.length === 0) return undefined
  if (isUtf8(data)) {
    const text = data.toString('utf8')
    // JSON event format 3.1.1: with a JSON content type a string would mean a JSON string, so text that claims to be JSON
    // and is not (KServe labels a response with its request's type) goes as base64 too.
    if (isJson(contentType)) {
      if (isJsonText(text)) return `"data":${text}`
    } else if (contentType !== undefined && isText(contentType)) return `"data":${JSON.stringify(text)}`
  }
  return `"data_base64":"${data.toString('base64')}"`
}
