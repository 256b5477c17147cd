import fc from 'fast-check'
import assert from 'node:assert/strict'
import { after, before, describe, mock, test } from 'node:test'
import { seededChoice } from '../../support/simulated-disk.ts'
import { Scene, type SceneOptions } from './scene.ts'

/** What can happen, with how much of it. */
type Step = readonly [kind: string, a: number, b: number]

const number = fc.nat({ max: 1000 })
function step(kind: string): fc.Arbitrary<Step> {
  return fc.tuple(fc.constant(kind), number, number)
}

/** Nothing goes wrong but crashes. */
const ORDINARY = [
  { weight: 80, arbitrary: step('append') },
  { weight: 80, arbitrary: step('turn') },
  { weight: 60, arbitrary: step('take') },
  { weight: 60, arbitrary: step('release') },
  { weight: 20, arbitrary: step('second') },
  { weight: 10, arbitrary: step('slow') },
  { weight: 10, arbitrary: step('short') },
  { weight: 4, arbitrary: step('crash') },
  { weight: 3, arbitrary: step('power') },
  { weight: 3, arbitrary: step('restart') }
]

const FAULTS = [
  { weight: 5, arbitrary: step('write-fault') },
  { weight: 3, arbitrary: step('any-fault') },
  { weight: 3, arbitrary: step('sync-fault') },
  { weight: 3, arbitrary: step('read-fault') },
  { weight: 4, arbitrary: step('disk-full') },
  { weight: 8, arbitrary: step('heal') }
]

const options = fc.record({
  fsync: fc.boolean(),
  segmentBytes: fc.integer({ min: 300, max: 4000 }),
  maxBytes: fc.integer({ min: 6000, max: 60_000 }),
  memoryMaxBytes: fc.integer({ min: 3000, max: 40_000 }),
  whenFull: fc.constantFrom('reject' as const, 'drop-oldest' as const),
  whenJournalFails: fc.constantFrom('memory' as const, 'reject' as const),
  seed: fc.integer()
})

async function perform(scene: Scene, [kind, a, b]: Step): Promise<void> {
  const { disk } = scene
  switch (kind) {
    case 'append':
      return scene.append(a % 7 === 0 ? 3 : 1, `topic-${b % 3}`, 10 + (b % 11 === 0 ? b * 3 : b % 200))
    case 'turn':
      return scene.turn(a % 8)
    case 'take':
      return scene.take(a, b % 12)
    case 'release':
      return scene.release(a % 10)
    case 'second':
      return scene.second()
    case 'slow':
      return scene.slowDown()
    case 'short':
      return disk.shorten(a % 4 === 0 ? 'read' : 'write', 1 + (b % 3))
    case 'crash':
      return scene.crash('cache')
    case 'power':
      return scene.crash('synced')
    case 'restart':
      return scene.restart()
    case 'write-fault':
      return disk.fail('write', b % 2 === 0 ? 'ENOSPC' : 'EIO', { times: 1 + (a % 5), after: b % 3 })
    case 'sync-fault':
      return disk.fail('sync', 'EIO', { times: 1 + (a % 2) })
    case 'read-fault':
      return disk.fail('read', 'EIO', { times: 1 + (a % 3) })
    case 'any-fault':
      return disk.fail(['open', 'truncate', 'unlink', 'rename', 'sync'], 'EIO', { times: 1 + (a % 3) })
    case 'disk-full':
      disk.capacity = disk.used + (a % 400)
      return
    case 'heal':
      disk.heal()
      disk.capacity = Infinity
      return
    default:
      assert.fail(kind)
  }
}

/** @returns how often an event came a second time */
async function play(
  sceneOptions: Omit<SceneOptions, 'choose'> & { seed: number },
  steps: readonly Step[],
  faults: boolean
): Promise<number> {
  mock.timers.reset()
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  const scene = new Scene({ ...sceneOptions, choose: seededChoice(sceneOptions.seed) })
  // Giving up the oldest and faults both change what comes next.
  scene.inOrder = !faults
  for (const one of steps) {
    await perform(scene, one)
    scene.assertConserved()
  }
  await scene.finish()
  return scene.repeated
}

describe('a store on a journal, compared with a list', { timeout: 300_000 }, () => {
  before(() => mock.timers.enable({ apis: ['setTimeout', 'setInterval'] }))
  after(() => mock.timers.reset())

  for (const [title, kinds, faults] of [
    ['whatever is appended, taken and released, and whenever it crashes', ORDINARY, false],
    ['and whatever the disk does', [...ORDINARY, ...FAULTS], true]
  ] as const) {
    test(`loses nothing that was answered: ${title}`, async () => {
      let steps = 0
      let repeated = 0
      await fc.assert(
        fc.asyncProperty(
          options,
          fc.array(fc.oneof(...kinds), { maxLength: 300, size: 'max' }),
          async (scene, sequence) => {
            steps += sequence.length
            repeated += await play(scene, sequence, faults)
          }
        ),
        { numRuns: 900, includeErrorInReport: true }
      )
      assert.ok(steps >= 50_000, `${steps} steps`)
      assert.ok(repeated > 0, 'no event came twice: replaying was not tested')
    })
  }
})
