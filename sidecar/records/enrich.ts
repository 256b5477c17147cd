import { attribute, type Attribute, type CloudEvent } from '../cloudevents/event.ts'
import { isGzip } from './gzip.ts'

/** What the pod knows about itself; an empty text is unknown. */
export interface Environment {
  readonly podName: string
  readonly podNamespace: string
  readonly nodeName: string
  readonly inferenceServiceName: string
  readonly component: string
  readonly revision: string
}

/**
 * Makes the function that adds what only this place knows: `inferenceservicename`, `namespace` and `component` where the event
 * lacks them, `pod`, `node`, `revision`, `receivedtime`, and `contentencoding: gzip` on compressed data. An attribute that the
 * event has, even an empty one, stays as it came.
 */
export function createEnricher(environment: Environment): (event: CloudEvent, receivedAt: number) => void {
  const extensions: readonly Attribute[] = [
    { name: 'inferenceservicename', value: environment.inferenceServiceName },
    { name: 'namespace', value: environment.podNamespace },
    { name: 'component', value: environment.component },
    { name: 'pod', value: environment.podName },
    { name: 'node', value: environment.nodeName },
    { name: 'revision', value: environment.revision }
  ].filter(({ value }) => value !== '')
  let lastMs = NaN
  let lastText = ''
  return (event, receivedAt) => {
    for (const extension of extensions) addIfAbsent(event, extension)
    if (receivedAt !== lastMs) {
      lastMs = receivedAt
      lastText = new Date(receivedAt).toISOString()
    }
    addIfAbsent(event, { name: 'receivedtime', value: lastText })
    if (isGzip(event.data)) addIfAbsent(event, { name: 'contentencoding', value: 'gzip' })
  }
}

function addIfAbsent(event: CloudEvent, extension: Attribute): void {
  if (attribute(event, extension.name) === undefined) event.attributes.push(extension)
}
