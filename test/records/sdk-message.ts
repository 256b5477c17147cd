import type { KafkaMessage } from 'cloudevents'
import type { KafkaRecord } from '../../sidecar/records/record.ts'

/** A record of ours as a consumer would hand it to the CloudEvents SDK. Without the key: see sdkMakesTheKeyAPartitionkey. */
export function sdkMessageOf({ value, headers }: KafkaRecord): KafkaMessage<string> {
  const flat: Record<string, string> = Object.assign({}, ...headers) as Record<string, string>
  // The SDK's types want strings; its code takes Buffers, which is what every Kafka client has.
  return { headers: flat, value: value as unknown as string } as KafkaMessage<string>
}
