import kafka from 'node-rdkafka'

// librdkafka's mock cluster in a process of its own, so that its CPU is nobody's. It keeps the last 100,000 messages or
// 5 MiB of a partition, so that memory stays bounded.
const owner = new kafka.Producer({ 'test.mock.num.brokers': 1 } as kafka.ProducerGlobalConfig)
owner.setPollInterval(100)
const alive = setInterval(() => {}, 1000)
owner.connect({}, error => {
  if (error) throw new Error(`the mock cluster did not start: ${error.message}`)
  owner.getMetadata({ timeout: 5000, allTopics: true }, (metadataError: unknown, metadata) => {
    if (metadataError) throw new Error('the mock cluster did not answer', { cause: metadataError })
    const brokers = metadata.brokers.map(broker => `${broker.host}:${broker.port}`).join(',')
    process.stdout.write(`${JSON.stringify({ msg: 'ready', brokers })}\n`)
  })
})
const stop = () => {
  clearInterval(alive)
  process.exit(0)
}
process.on('SIGTERM', stop)
process.stdin.resume().on('end', stop)
