/** As much of node-rdkafka's client as connecting takes. */
interface Connectable {
  getMetadata?: (options: unknown, callback: (error: null, metadata: object) => void) => void
  connect(options: object, callback: (error: unknown) => void): void
}

/**
 * Starts a client of node-rdkafka, whether a broker is there or not.
 *
 * Its connect() waits for metadata, and tears the client down when no broker answers in time: whatever was produced is
 * gone without a report, and a second connect() doubles every callback (node-rdkafka#1143). So it is called once, and
 * its question for metadata is answered here, which leaves connecting to librdkafka.
 * @param client a Producer or KafkaConsumer that was not connected yet
 * @throws the error of node-rdkafka when librdkafka does not take the properties together
 */
export async function connectOnce(client: object): Promise<void> {
  const connectable = client as Connectable
  connectable.getMetadata = (_options, callback) => callback(null, {})
  try {
    await new Promise<void>((resolve, reject) => {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- node-rdkafka's errors are no Errors
      connectable.connect({}, error => (error ? reject(error) : resolve()))
    })
  } finally {
    // The method of the class is back.
    delete connectable.getMetadata
  }
}
