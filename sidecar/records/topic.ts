import { ValueError } from '../config/units.ts'
import { attribute, kindOf, type CloudEvent } from '../cloudevents/event.ts'

/** The topic of each event, as KAFKA_TOPIC gives it: literal parts and placeholders, alternating. */
export interface TopicTemplate {
  readonly text: string
  readonly parts: readonly (string | { readonly placeholder: Placeholder })[]
}

const PLACEHOLDERS = ['inferenceservicename', 'namespace', 'component', 'type'] as const
type Placeholder = (typeof PLACEHOLDERS)[number]

/** Kafka's rule for topic names (org.apache.kafka.common.internals.Topic): these characters, at most 249 of them. */
const LEGAL_TOPIC = /^[a-zA-Z0-9._-]{1,249}$/

/** Why an event has no topic: a sentence that says what to do about it. */
export class TopicError extends Error {}

/**
 * Parses KAFKA_TOPIC.
 * @param text a topic name in which `{inferenceservicename}`, `{namespace}`, `{component}` and `{type}` may occur
 * @throws {ValueError} for an unknown placeholder or a character that Kafka does not allow
 */
export function parseTopicTemplate(text: string): TopicTemplate {
  const parts = text
    .split(/(\{[^{}]*\})/)
    .filter(part => part !== '')
    .map(part => {
      if (!part.startsWith('{')) return part
      const placeholder = PLACEHOLDERS.find(name => `{${name}}` === part)
      if (placeholder === undefined) {
        throw new ValueError(`a topic name with the placeholders ${PLACEHOLDERS.map(name => `{${name}}`).join(', ')}`)
      }
      return { placeholder }
    })
  const sample = parts.map(part => (typeof part === 'string' ? part : 'x')).join('')
  if (!LEGAL_TOPIC.test(sample) || sample === '.' || sample === '..') {
    throw new ValueError(
      'a topic name of at most 249 letters, digits, dots, underscores and hyphens, with placeholders in {}'
    )
  }
  return { text, parts }
}

/**
 * Fills the template in for one event.
 * @throws {TopicError} when the event lacks an attribute that the template names, or the result is no legal topic name
 */
export function topicOf(template: TopicTemplate, event: CloudEvent): string {
  const [only] = template.parts
  if (template.parts.length === 1 && typeof only === 'string') return only
  let topic = ''
  for (const part of template.parts) {
    if (typeof part === 'string') topic += part
    else topic += part.placeholder === 'type' ? kindOf(event) : valueFor(part.placeholder, template, event)
  }
  if (!LEGAL_TOPIC.test(topic) || topic === '.' || topic === '..') {
    throw new TopicError(
      `the topic "${topic.slice(0, 300)}" that KAFKA_TOPIC=${template.text} gives for this event is not a legal Kafka topic name`
    )
  }
  return topic
}

function valueFor(name: Exclude<Placeholder, 'type'>, template: TopicTemplate, event: CloudEvent): string {
  const value = attribute(event, name)
  if (value === undefined || value === '') {
    throw new TopicError(
      `the event has no attribute ${name}, which KAFKA_TOPIC=${template.text} needs; send it, or set KAFKA_TOPIC without {${name}}`
    )
  }
  return String(value)
}
