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
  const text = textMember(event.data, contentType === undefined ? undefined : String(contentType))
  // 0.3 has no data_base64 but an attribute that says of `data` what it is (0.3 JSON event format 3.1).
  const as03 = text === undefined && event.data.length > 0 && attribute(event, 'specversion') === '0.3'
  const members = event.attributes
    .filter(({ name }) => !NOT_ATTRIBUTES.has(name) && !(as03 && name === 'datacontentencoding'))
    .map(({ name, value }) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
  if (text !== undefined) members.push(`"data":${text}`)
  else if (event.data.length > 0) {
    const base64 = event.data.toString('base64')
    members.push(as03 ? `"datacontentencoding":"base64","data":"${base64}"` : `"data_base64":"${base64}"`)
  }
  return Buffer.from(`{${members.join(',')}}`, 'utf8')
}

/** The data where JSON can carry it as it is; undefined where it cannot, or there is none. */
function textMember(data: Buffer, contentType: string | undefined): string | undefined {
  if (data.length === 0 || !isUtf8(data)) return undefined
  const text = data.toString('utf8')
  // JSON event format 3.1.1: with a JSON content type a string would mean a JSON string, so text that claims to be JSON
  // and is not (KServe labels a response with its request's type) goes as base64 too.
  if (isJson(contentType)) return isJsonText(text) ? text : undefined
  return contentType !== undefined && isText(contentType) ? JSON.stringify(text) : undefined
}
