import { MockKafka } from '../../cli/demo/mock-kafka.ts'

// librdkafka's mock cluster in a process of its own, so that its CPU is nobody's. It keeps the last 100,000 messages or
// 5 MiB of a partition, so that memory stays bounded.
const kafka = await MockKafka.start()
const alive = setInterval(() => {}, 1000)
process.stdout.write(`${JSON.stringify({ msg: 'ready', brokers: kafka.brokers })}\n`)
const stop = () => {
  clearInterval(alive)
  process.exit(0)
}
process.on('SIGTERM', stop)
process.stdin.resume().on('end', stop)
