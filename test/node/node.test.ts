import { after, before, describe } from 'node:test'
import { buildTimeoutMs } from '../support/kubernetes/tools.ts'
import { NodeCluster, requireNodeTools, withoutNode } from '../support/node/index.ts'
import { chart } from './chart.ts'
import { endsOfPods } from './ends-of-pods.ts'
import { fullJournal } from './full-journal.ts'
import { memoryLimit } from './memory-limit.ts'
import { outages } from './outages.ts'
import { running } from './running.ts'
import { startingTimes } from './starting-times.ts'
import { trouble } from './trouble.ts'

/** Most of these tests wait for something that takes Kubernetes its time: a drain, a probe, a back-off. */
const atOnce = 32

describe('a predictor on a real node', { skip: withoutNode }, () => {
  let cluster: NodeCluster

  before(
    async ({ signal }) => {
      requireNodeTools()
      cluster = await NodeCluster.start(signal)
    },
    { timeout: buildTimeoutMs }
  )
  after(() => cluster?.close())

  const get = (): NodeCluster => cluster

  describe('by itself', () => startingTimes(get))

  describe('among others', { concurrency: atOnce }, () => {
    memoryLimit(get)
    fullJournal(get)
    endsOfPods(get)
    trouble(get)
    outages(get)
    running(get)
    chart(get)
  })
})
