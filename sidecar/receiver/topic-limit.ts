import type { CloudEvent } from '../cloudevents/event.ts'
import { topicOf, type TopicTemplate } from '../records/topic.ts'
import { Rejection } from './replies.ts'

/**
 * Makes the function that names an event's topic, and refuses events that would open one topic too many: attributes are
 * the sender's to choose, and each topic costs memory here and partitions in Kafka.
 */
export function boundedTopics(template: TopicTemplate, maxTopics: number): (event: CloudEvent) => string {
  const known = new Set<string>()
  return event => {
    const topic = topicOf(template, event)
    if (known.has(topic)) return topic
    if (known.size >= maxTopics) {
      throw new Rejection(
        'too_many_topics',
        `the topic ${topic} is one more than the ${maxTopics} that INFERENCE_LOGGER_MAX_TOPICS allows`
      )
    }
    known.add(topic)
    return topic
  }
}
