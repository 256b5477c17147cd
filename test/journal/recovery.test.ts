import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { JournalVersionError } from '../../sidecar/journal/errors.ts'
import { SEGMENT_HEADER_BYTES, segmentName } from '../../sidecar/journal/format.ts'
import { Journal } from '../../sidecar/journal/journal.ts'
import {
  bytesIn,
  directoryFor,
  openJournal,
  optionsFor,
  recovered,
  segmentsIn,
  sequencesOf,
  turns,
  until,
  writeRecords
} from './open-journal.ts'

/** A directory with segments of three records each, from which the process is gone. */
async function leftJournal(t: TestContext, segments = 1): Promise<string> {
  const directory = directoryFor(t)
  for (let i = 0; i < segments; i++) {
    const { journal } = openJournal(t, directory)
    await writeRecords(journal, 3)
    await journal.close()
  }
  return directory
}

/** Changes a segment's bytes. */
function change(directory: string, change: (bytes: Buffer) => Buffer, first = 1): void {
  const path = join(directory, segmentName(first))
  fs.writeFileSync(path, change(fs.readFileSync(path)))
}

function contents(directory: string): Record<string, string> {
  const names = fs.readdirSync(directory, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  return Object.fromEntries(
    names.map(({ name, parentPath }) => [name, fs.readFileSync(join(parentPath, name)).toString('hex')])
  )
}

const lastSegment = (directory: string): number => segmentsIn(directory).at(-1) ?? 0

describe('recovery', () => {
  test('finds what is pending in the order of acceptance, over all segments and starts', async t => {
    const directory = await leftJournal(t, 3)
    const { journal, told } = openJournal(t, directory)
    const found = sequencesOf(await recovered(journal))
    assert.equal(found.length, 9)
    assert.deepEqual(
      found,
      [...found].sort((a, b) => a - b)
    )
    assert.ok(journal.nextSequence() > (found.at(-1) ?? 0))
    assert.deepEqual(told, ['replayed 3', 'replayed 3', 'replayed 3', 'recovered 9'])
    assert.equal(journal.bytes, bytesIn(directory))
  })

  test('of nothing tells nothing', async t => {
    const { journal, told } = openJournal(t, directoryFor(t))
    assert.deepEqual(await recovered(journal), [])
    assert.deepEqual([journal.bytes, journal.segments, told], [0, 0, []])
  })

  test('removes segments of which everything is released, with their companions', async t => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const directory = directoryFor(t)
    const first = openJournal(t, directory)
    const records = await writeRecords(first.journal, 3)
    // The process ends between the note and the removal.
    first.fs.hold('unlink')
    for (const record of records) first.journal.release(record)
    t.mock.timers.tick(1000)
    const left = directoryFor(t)
    fs.cpSync(directory, left, { recursive: true })
    assert.deepEqual([segmentsIn(left), segmentsIn(left, '.released')], [[1], [1]])
    const second = openJournal(t, left)
    assert.deepEqual(await recovered(second.journal), [])
    await second.journal.close()
    assert.deepEqual(fs.readdirSync(left), [])
    assert.equal(second.journal.bytes, 0)
  })

  test('leaves the same to the next start, whatever it found', async t => {
    const directory = await leftJournal(t, 2)
    change(directory, bytes => bytes.subarray(0, -5), lastSegment(directory))
    change(directory, bytes => bytes.fill(0xee, 300, 310))
    const first = sequencesOf(await recovered(openJournal(t, directory).journal))
    const second = sequencesOf(await recovered(openJournal(t, directory).journal))
    assert.equal(first.length, 4)
    assert.deepEqual(second, first)
  })

  test('cuts off a record that was not written whole', async t => {
    const directory = await leftJournal(t)
    const { size } = fs.statSync(join(directory, segmentName(1)))
    change(directory, bytes => bytes.subarray(0, -7))
    const { journal, told } = openJournal(t, directory)
    assert.deepEqual(sequencesOf(await recovered(journal)), [1, 2])
    assert.equal(fs.statSync(join(directory, segmentName(1))).size, size - (size - SEGMENT_HEADER_BYTES) / 3)
    assert.equal(journal.bytes, bytesIn(directory))
    assert.ok(!told.some(line => line.startsWith('quarantined')))
  })

  test('cuts off zeros, which a machine’s crash leaves', async t => {
    const directory = await leftJournal(t)
    change(directory, bytes => Buffer.concat([bytes, Buffer.alloc(4096)]))
    const { journal, told } = openJournal(t, directory)
    assert.deepEqual(sequencesOf(await recovered(journal)), [1, 2, 3])
    assert.equal(journal.bytes, bytesIn(directory))
    assert.deepEqual(told, ['replayed 3', 'recovered 3'])
  })

  test('goes on where the end cannot be cut off', async t => {
    const directory = await leftJournal(t)
    change(directory, bytes => bytes.subarray(0, -7))
    const { journal, fs: disk } = openJournal(t, directory)
    disk.fail('truncate', 'EROFS')
    assert.deepEqual(sequencesOf(await recovered(journal)), [1, 2])
  })

  test('puts a copy of damage in quarantine, and finds everything around it', async t => {
    const directory = await leftJournal(t)
    const size = (fs.statSync(join(directory, segmentName(1))).size - SEGMENT_HEADER_BYTES) / 3
    change(directory, bytes => bytes.fill(0xee, SEGMENT_HEADER_BYTES + size + 40, SEGMENT_HEADER_BYTES + size + 50))
    const { journal, told } = openJournal(t, directory)
    assert.deepEqual(sequencesOf(await recovered(journal)), [1, 3])
    assert.deepEqual(told, ['quarantined record', 'replayed 2', 'recovered 2'])
    const kept = join(directory, 'quarantine', `${segmentName(1)}.${SEGMENT_HEADER_BYTES + size}.corrupt`)
    assert.equal(fs.statSync(kept).size, size)
  })

  test('finds everything around damage where quarantine has no room', async t => {
    const directory = await leftJournal(t)
    change(directory, bytes => bytes.fill(0xee, 300, 310))
    const { journal, fs: disk, told } = openJournal(t, directory)
    disk.fail('open', 'ENOSPC', { path: /quarantine/ })
    assert.deepEqual(sequencesOf(await recovered(journal)), [1, 3])
    assert.ok(told.includes('quarantined record'))
  })

  test('moves a file without a header that makes sense into quarantine', async t => {
    const directory = await leftJournal(t, 2)
    change(directory, bytes => bytes.fill(0xee, 20, 30))
    const { journal, told } = openJournal(t, directory)
    assert.equal((await recovered(journal)).length, 3)
    assert.ok(told.includes('quarantined segment'))
    assert.ok(fs.existsSync(join(directory, 'quarantine', `${segmentName(1)}.corrupt`)))
    assert.ok(!segmentsIn(directory).includes(1))
  })

  test('removes what a crash left of files that were just made', async t => {
    const directory = await leftJournal(t)
    fs.writeFileSync(join(directory, segmentName(500)), '')
    fs.writeFileSync(join(directory, segmentName(501)), Buffer.alloc(SEGMENT_HEADER_BYTES))
    fs.writeFileSync(join(directory, segmentName(502)), Buffer.alloc(10, 1))
    fs.writeFileSync(join(directory, '00000000000000000503.released'), 'x')
    fs.writeFileSync(join(directory, `${segmentName(1)}.tmp`), 'x')
    const { journal } = openJournal(t, directory)
    assert.equal((await recovered(journal)).length, 3)
    assert.deepEqual(fs.readdirSync(directory), [segmentName(1)])
    assert.ok(journal.nextSequence() > 502)
  })

  test('leaves alone what is not the journal’s', async t => {
    const directory = await leftJournal(t)
    fs.writeFileSync(join(directory, 'lost+found.journal'), 'x')
    fs.writeFileSync(join(directory, 'notes.txt'), 'x')
    assert.equal((await recovered(openJournal(t, directory).journal)).length, 3)
    assert.deepEqual(fs.readdirSync(directory).sort(), [segmentName(1), 'lost+found.journal', 'notes.txt'])
  })

  test('does not begin where a newer release wrote: not a byte changes, and the directory is given up', async t => {
    const directory = await leftJournal(t, 3)
    change(
      directory,
      bytes => {
        bytes.writeUInt16LE(2, 8)
        return bytes
      },
      lastSegment(directory)
    )
    const before = contents(directory)
    let locked = 0
    const options = optionsFor(directory, { lock: () => (locked++, () => void locked--) })
    assert.throws(() => Journal.open(options), JournalVersionError)
    assert.deepEqual(contents(directory), before)
    assert.equal(locked, 0)
    assert.equal(options.fs.open.size, 0)
  })

  test('reads a segment again when the disk fails, and leaves it to the next start when it goes on failing', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const directory = await leftJournal(t, 2)
    const { journal, fs: disk, told } = openJournal(t, directory)
    disk.fail('read', 'EIO', { path: /00000000000000000001.journal/, times: 2 })
    disk.fail('read', 'EIO', { path: new RegExp(segmentName(lastSegment(directory))) })
    let found: number[] | undefined
    void recovered(journal).then(records => (found = sequencesOf(records)))
    await until(() => {
      t.mock.timers.tick(500)
      return found !== undefined
    })
    assert.deepEqual(found, [1, 2, 3])
    assert.equal(told.filter(line => line === 'failed read EIO').length, 5)
    assert.ok(told.includes('quarantined segment'))
    await journal.close()
    assert.equal((await recovered(openJournal(t, directory).journal)).length, 6)
  })

  test('a short read is continued', async t => {
    const directory = await leftJournal(t, 2)
    const { journal, fs: disk } = openJournal(t, directory)
    disk.shorten('read', 100)
    assert.equal((await recovered(journal)).length, 6)
  })

  // It went on with what it had read, and removed and cut files that another process might own by then.
  test('touches nothing any more once the journal has ended', async t => {
    const directory = await leftJournal(t)
    change(directory, bytes => Buffer.concat([bytes.fill(0xee, 300, 310), Buffer.alloc(100)]))
    const { journal, fs: disk, told } = openJournal(t, directory)
    disk.hold('read')
    const found = recovered(journal)
    await turns()
    const before = contents(directory)
    const closed = journal.close()
    disk.letGo()
    assert.deepEqual(await found, [])
    await closed
    assert.deepEqual(contents(directory), before)
    assert.deepEqual(told, [])
    assert.equal(disk.open.size, 0)
  })

  test('new records are taken meanwhile, and come after what it finds', async t => {
    const directory = await leftJournal(t, 2)
    const { journal, fs: disk } = openJournal(t, directory)
    disk.hold('read')
    const found = recovered(journal)
    const added = await writeRecords(journal, 2)
    disk.letGo()
    const sequences = [...sequencesOf(await found), ...sequencesOf(added)]
    assert.equal(sequences.length, 8)
    assert.deepEqual(
      sequences,
      [...sequences].sort((a, b) => a - b)
    )
    assert.equal(journal.bytes, bytesIn(directory))
  })
})
