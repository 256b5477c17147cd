import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KafkaCluster, withoutOwnKafka } from '../support/kafka/index.ts'
import { runCampaign } from './campaign.ts'

const victims = 3
const lives = 80
const fewestKills = 200

test(
  `no event that was answered 200 is lost by ${fewestKills} kills at random times`,
  { skip: withoutOwnKafka, timeout: 600_000 },
  async t => {
    const kafka = await KafkaCluster.start()
    t.after(() => kafka.close())
    const seed = Math.floor(Math.random() * 1_000_000)
    t.diagnostic(`the same kills again: npm run test:crash -- --lives ${lives} --seed ${seed}`)
    const result = await runCampaign({ kafka, seed, victims, lives })
    t.diagnostic(JSON.stringify(result))
    assert.ok(result.kills >= fewestKills, `${result.kills} kills`)
    assert.ok(result.accepted > 20 * result.kills, `${result.accepted} events accepted`)
    assert.ok(result.duplicates > 0, 'nothing was delivered a second time: no replay was ever tested')
    assert.ok(result.replayed > 0, 'no record carried the header of a replayed one')
    assert.ok(result.scrapes > result.kills, `${result.scrapes} scrapes`)
  }
)
