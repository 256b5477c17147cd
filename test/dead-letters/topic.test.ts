import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { noteOf } from '../../sidecar/dead-letters/note.ts'
import {
  DeadLetterTopic,
  noteProducerProperties,
  type DeadLetterTopicOptions,
  type NoteCallbacks
} from '../../sidecar/dead-letters/topic.ts'
import { producerProperties } from '../../sidecar/kafka/properties.ts'
import type { KafkaRecord } from '../../sidecar/records/record.ts'
import { MockCluster } from '../support/mock-cluster.ts'
import { KafkaProducer } from '../../sidecar/kafka/producer.ts'
import { JudgingProducer, kafkaError } from './judging-producer.ts'
import { Kept, storedEvent, temporaryFolder, Told, TOO_LARGE } from './letters.ts'

/** A topic, and the producers that it made. */
class Notes {
  readonly told = new Told()
  readonly producers: JudgingProducer<KafkaRecord>[] = []
  readonly callbacks: NoteCallbacks[] = []
  readonly topic: DeadLetterTopic
  /** Applied to each producer that is made. */
  prepare: (producer: JudgingProducer<KafkaRecord>) => void = () => {}

  constructor(t: Pick<TestContext, 'after'>, options: Partial<DeadLetterTopicOptions> = {}) {
    this.topic = new DeadLetterTopic({
      topic: 'dead',
      key: 'id',
      createProducer: callbacks => {
        const producer = new JudgingProducer<KafkaRecord>(callbacks.onReport)
        this.prepare(producer)
        this.producers.push(producer)
        this.callbacks.push(callbacks)
        return Promise.resolve(producer)
      },
      ensureTopic: undefined,
      observer: this.told,
      random: () => 0,
      ...options
    })
    // It keeps no process alive.
    const alive = setInterval(() => {}, 1000)
    t.after(async () => {
      clearInterval(alive)
      await this.topic.close()
    })
  }

  get taken(): string[] {
    return this.producers.flatMap(({ taken }) => taken.map(({ key }) => String(key)))
  }

  count(line: string): number {
    return this.told.lines.filter(one => one === line).length
  }

  async until(condition: () => boolean): Promise<void> {
    for (let i = 0; !condition(); i++) {
      assert.ok(i < 500, `not within 5 s: ${this.told.lines.join()}`)
      await sleep(10)
    }
  }
}

test('a note has the key and the attributes of the event, the reason, and the beginning of the data', () => {
  const data = Buffer.alloc(100_000, 'x')
  const { topic, key, value, headers } = noteOf(storedEvent('4711', data), TOO_LARGE, 'dead', 'id')
  assert.deepEqual([topic, String(key), value], ['dead', '4711', data.subarray(0, 16_384)])
  assert.deepEqual(headers, [
    { ce_specversion: '1.0' },
    { ce_id: '4711' },
    { ce_type: 'org.kubeflow.serving.inference.request' },
    { ce_source: 'http://localhost:9081/' },
    { 'content-type': 'application/json' },
    { 'inference-logger-dead-letter-reason': 'record_too_large' },
    { 'inference-logger-dead-letter-error-code': '10' },
    { 'inference-logger-dead-letter-error': 'Broker: Message size too large' },
    { 'inference-logger-dead-letter-topic': 'a-topic' },
    { 'inference-logger-dead-letter-size': '100000' },
    { 'inference-logger-dead-letter-sha256': createHash('sha256').update(data).digest('hex') },
    { 'inference-logger-dead-letter-receivedtime': '2023-11-14T22:13:20.123Z' }
  ])
})

test('a note of an event that no record could be made of has no error of Kafka’s, and no null for a value', () => {
  const { headers, value } = noteOf(
    storedEvent('1', ''),
    { reason: 'internal_error', error: undefined },
    'dead',
    'none'
  )
  assert.equal(value.length, 0)
  assert.deepEqual(
    headers.flatMap(header => Object.keys(header)).filter(name => name.includes('error')),
    []
  )
})

test('nothing is made before the first note, and the producer ends when there were none for a while', async t => {
  const notes = new Notes(t, { idleMs: 50 })
  await sleep(30)
  assert.equal(notes.producers.length, 0)
  notes.topic.send(storedEvent('1'), TOO_LARGE)
  await notes.until(() => notes.count('noted') === 1)
  assert.equal(notes.producers[0]?.isClosed, false)
  await notes.until(() => notes.producers[0]?.isClosed === true)
  notes.topic.send(storedEvent('2'), TOO_LARGE)
  await notes.until(() => notes.count('noted') === 2)
  assert.deepEqual([notes.producers.length, notes.taken], [2, ['1', '2']])
})

test('a note is tried again until Kafka has it', async t => {
  const notes = new Notes(t)
  let refusals = 2
  notes.prepare = producer => (producer.judge = () => (refusals-- > 0 ? kafkaError(29) : 'taken'))
  notes.topic.send(storedEvent('1'), TOO_LARGE)
  await notes.until(() => notes.count('noted') === 1)
  assert.deepEqual(notes.told.lines, ['delayed code_29', 'delayed code_29', 'noted'])
})

test('a note that is refused for good is counted and given up: there is no note about a note', async t => {
  const notes = new Notes(t)
  notes.prepare = producer => (producer.judge = ({ key }) => (String(key) === 'bad' ? kafkaError(10) : 'taken'))
  for (const id of ['1', 'bad', '2']) notes.topic.send(storedEvent(id), TOO_LARGE)
  await notes.until(() => notes.told.lines.length === 3)
  assert.deepEqual(notes.taken, ['1', '2'])
  assert.equal(notes.count('refused code_10'), 1)
  await sleep(100)
  assert.equal(notes.producers[0]?.produced, 3)
})

test('a producer that is beyond repair is replaced, and the next one sends what it had', async t => {
  const notes = new Notes(t)
  notes.prepare = producer => (producer.judge = () => (notes.producers.length === 1 ? 'silence' : 'taken'))
  for (const id of ['1', '2']) notes.topic.send(storedEvent(id), TOO_LARGE)
  await notes.until(() => notes.producers[0]?.produced === 2)
  notes.callbacks[0]?.onFatal(kafkaError(-150))
  notes.topic.send(storedEvent('3'), TOO_LARGE)
  await notes.until(() => notes.count('noted') === 3)
  assert.deepEqual([notes.producers.length, notes.producers[0]?.isClosed, notes.taken], [2, true, ['1', '2', '3']])
})

test('so is one whose report says so', async t => {
  const notes = new Notes(t)
  notes.prepare = producer => (producer.judge = () => (notes.producers.length === 1 ? kafkaError(47) : 'taken'))
  for (const id of ['1', '2', '3']) notes.topic.send(storedEvent(id), TOO_LARGE)
  await notes.until(() => notes.count('noted') === 3)
  assert.deepEqual([...notes.taken].sort(), ['1', '2', '3'])
  assert.equal(notes.producers.length, 2)
})

test('so is one that takes nothing any more', async t => {
  const notes = new Notes(t)
  notes.prepare = producer => {
    const isFirst = notes.producers.length === 0
    producer.refuse = ({ key }) => (isFirst && String(key) === '2' ? kafkaError(-150) : undefined)
    producer.judge = () => (isFirst ? 'silence' : 'taken')
  }
  for (const id of ['1', '2', '3']) notes.topic.send(storedEvent(id), TOO_LARGE)
  await notes.until(() => notes.count('noted') === 3)
  assert.deepEqual([...notes.taken].sort(), ['1', '2', '3'])
})

test('a producer that cannot be made is tried again', async t => {
  let attempts = 0
  const producers: JudgingProducer<KafkaRecord>[] = []
  const notes = new Notes(t, {
    createProducer: ({ onReport }) => {
      if (++attempts < 3) return Promise.reject(new Error('a certificate is gone'))
      producers.push(new JudgingProducer(onReport))
      return Promise.resolve(producers[0] as JudgingProducer<KafkaRecord>)
    }
  })
  notes.topic.send(storedEvent('1'), TOO_LARGE)
  await notes.until(() => notes.count('noted') === 1)
  assert.equal(notes.count('delayed unknown'), 2)
})

test('the topic is made sure of before the first note, and again after a failure', async t => {
  const asked: string[] = []
  const notes = new Notes(t, {
    ensureTopic: async (topic, exists) => {
      asked.push(`${topic} ${JSON.stringify(await exists(topic))}`)
      return asked.length === 1
        ? { unanswered: kafkaError(-195) }
        : asked.length === 2
          ? { refused: kafkaError(37) }
          : 'ready'
    }
  })
  let refusals = 1
  notes.prepare = producer => {
    producer.exists = () => false
    producer.judge = () => (refusals-- > 0 ? kafkaError(3) : 'taken')
  }
  notes.topic.send(storedEvent('1'), TOO_LARGE)
  await notes.until(() => notes.count('noted') === 1)
  assert.deepEqual(
    asked,
    Array.from({ length: 4 }, () => 'dead false')
  )
  assert.deepEqual(notes.told.lines, ['delayed code_-195', 'delayed code_37', 'delayed code_3', 'noted'])
})

test('with Kafka away a hundred notes wait, and more are skipped, not kept', async t => {
  const notes = new Notes(t)
  notes.prepare = producer => (producer.judge = () => 'silence')
  for (let i = 0; i < 60; i++) notes.topic.send(storedEvent(String(i)), TOO_LARGE)
  await notes.until(() => notes.producers[0]?.produced === 60)
  for (let i = 60; i < 150; i++) notes.topic.send(storedEvent(String(i)), TOO_LARGE)
  assert.equal(notes.count('skipped 1'), 50)
  await notes.topic.close()
  assert.equal(notes.told.lines.at(-1), 'skipped 100')
  assert.equal(notes.producers[0]?.isClosed, true)
})

test('at the end notes that are under way get a moment', async t => {
  const notes = new Notes(t)
  let isAnswering = false
  notes.prepare = producer => (producer.judge = () => (isAnswering ? 'taken' : 'silence'))
  notes.topic.send(storedEvent('1'), TOO_LARGE)
  await notes.until(() => notes.producers[0]?.produced === 1)
  setTimeout(() => (isAnswering = true), 100)
  await notes.topic.close()
  assert.deepEqual(notes.told.lines, ['noted'])
  notes.topic.send(storedEvent('2'), TOO_LARGE)
  assert.equal(notes.told.lines.at(-1), 'skipped 1')
})

test('a dead letter is noted once, after it is in the file; one that cannot be kept is noted, too', async t => {
  const noted: string[] = []
  let isClosed = false
  const topic = {
    send: ({ sequence }: { sequence: number }) => void noted.push(`note ${sequence}`),
    close: () => {
      isClosed = true
      return Promise.resolve()
    }
  }
  const kept = new Kept(t, { folder: temporaryFolder(t), topic })
  const keeping = kept.keep(storedEvent('1')).then(was => noted.push(`kept ${was}`))
  assert.equal(noted.length, 0)
  await keeping
  const lost = new Kept(t, { folder: '/dev/null/nowhere', waitForFolder: false, topic })
  await lost.keep(storedEvent('2')).then(was => noted.push(`kept ${was}`))
  assert.deepEqual(noted, ['note 1', 'kept true', 'note 1', 'kept false'])
  await kept.deadLetters.close()
  assert.ok(isClosed)
})

test('a note’s producer judges each note by itself, and has no statistics that would hide delivery’s', () => {
  const properties = { global: { 'client.id': 'pod', acks: -1 }, topic: { partitioner: 'murmur2' } }
  assert.deepEqual(noteProducerProperties(properties), {
    global: { 'client.id': 'pod-dead-letters', acks: -1, 'batch.num.messages': 1, 'statistics.interval.ms': 0 },
    topic: { partitioner: 'murmur2' }
  })
})

test('through librdkafka the note arrives as it was made', async t => {
  const cluster = await MockCluster.start(t)
  const properties = producerProperties({
    brokers: cluster.brokers,
    user: { global: {}, topic: {} },
    maxEventBytes: 1_000_000,
    inFlightMaxRecords: 100,
    createTopics: false,
    clientId: 'a-test'
  })
  const notes = new Notes(t, {
    createProducer: callbacks =>
      KafkaProducer.start<KafkaRecord>(noteProducerProperties(properties), {
        onReport: callbacks.onReport,
        onError: () => {},
        onLog: () => {},
        onStatistics: () => {}
      })
  })
  notes.topic.send(storedEvent('1', 'x'.repeat(20_000)), TOO_LARGE)
  notes.topic.send(storedEvent('2', ''), TOO_LARGE)
  await notes.until(() => notes.count('noted') === 2)
  const records = await cluster.consume('dead', 2)
  const record = records.find(({ key }) => String(key) === '1')
  assert.equal(record?.value?.length, 16_384)
  assert.equal(records.find(({ key }) => String(key) === '2')?.value?.length, 0, 'null would be a delete marker')
  const reason = record?.headers?.find(header => 'inference-logger-dead-letter-reason' in header)
  assert.equal(String(Object.values(reason ?? {})[0]), 'record_too_large')
})
