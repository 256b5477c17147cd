import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { nodeFileSystem, type FileSystem } from '../../sidecar/journal/file-system.ts'
import { seededChoice, SimulatedDisk } from './simulated-disk.ts'

const PATH = '/journal/file'

/** A disk with a directory, and in it a file with a durable name, which is open. */
function prepared(
  seed: number,
  options: { capacity?: number } = {}
): { disk: SimulatedDisk; fs: FileSystem; fd: number } {
  const disk = new SimulatedDisk({ choose: seededChoice(seed), ...options })
  const fs = disk.mount()
  fs.mkdirSync('/journal')
  const fd = fs.openSync(PATH, 'wx+')
  fs.syncDirectorySync('/journal')
  return { disk, fs, fd }
}

function append(fs: FileSystem, fd: number, text: string): number {
  const bytes = Buffer.from(text)
  return fs.writeSync(fd, bytes, 0, bytes.length, fs.sizeSync(fd))
}

/** All that comes about with a few hundred seeds. */
function outcomes<T>(of: (seed: number) => T): Set<T> {
  return new Set(Array.from({ length: 400 }, (_, seed) => of(seed)))
}

const text = (disk: SimulatedDisk, path = PATH): string => disk.contentOf(path).toString('latin1').replaceAll('\0', '0')

describe('a disk that nothing happens to', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'sub/d', 'missing/e')
  const step = fc.oneof(
    fc.record({
      do: fc.constant('open' as const),
      name,
      flags: fc.constantFrom('wx+' as const, 'r+' as const, 'r' as const)
    }),
    fc.record({
      do: fc.constantFrom('write' as const, 'read' as const),
      file: fc.nat(),
      length: fc.nat({ max: 200 }),
      offset: fc.nat({ max: 5 }),
      position: fc.nat({ max: 300 })
    }),
    fc.record({ do: fc.constant('truncate' as const), file: fc.nat(), length: fc.nat({ max: 300 }) }),
    fc.record({ do: fc.constantFrom('close' as const, 'size' as const, 'sync' as const), file: fc.nat() }),
    fc.record({ do: fc.constant('rename' as const), name, to: name }),
    fc.record({ do: fc.constant('unlink' as const), name }),
    fc.record({
      do: fc.constantFrom('mkdir' as const, 'readdir' as const, 'syncDirectory' as const),
      name: fc.constantFrom('', 'sub')
    })
  )
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

  /** What a program sees of the steps, the errors' codes included. */
  function seen(fs: FileSystem, root: string, steps: readonly Step[]): unknown[] {
    const open: number[] = []
    const at = (path: string): string => (path === '' ? root : join(root, path))
    const act = (one: Step): unknown => {
      if ('file' in one) {
        const fd = open[one.file % open.length]
        if (fd === undefined) return 'nothing open'
        if ('position' in one) {
          const bytes = Buffer.alloc(one.offset + one.length, one.do === 'write' ? 'some text' : 0)
          if (one.do === 'write') return fs.writeSync(fd, bytes, one.offset, one.length, one.position)
          return [fs.readSync(fd, bytes, one.offset, one.length, one.position), bytes.toString('latin1')]
        }
        if (one.do === 'truncate') return fs.ftruncateSync(fd, one.length)
        if (one.do === 'size') return fs.sizeSync(fd)
        if (one.do === 'sync') return fs.fdatasyncSync(fd)
        open.splice(one.file % open.length, 1)
        return fs.closeSync(fd)
      }
      if (one.do === 'open') return void open.push(fs.openSync(at(one.name), one.flags))
      if (one.do === 'rename') return fs.renameSync(at(one.name), at(one.to))
      if (one.do === 'unlink') return fs.unlinkSync(at(one.name))
      if (one.do === 'mkdir') return fs.mkdirSync(at(one.name))
      if (one.do === 'syncDirectory') return fs.syncDirectorySync(at(one.name))
      return fs.readdirSync(at(one.name)).sort()
    }
    const results = steps.map(one => {
      try {
        return act(one)
      } catch (error) {
        return (error as NodeJS.ErrnoException).code
      }
    })
    for (const fd of open) fs.closeSync(fd)
    return results
  }

  test('answers as the real one does', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), steps => {
        const folder = mkdtempSync(join(tmpdir(), 'inference-logger-simulated-'))
        try {
          const disk = new SimulatedDisk({ choose: seededChoice(1) })
          const fs = disk.mount()
          fs.mkdirSync(folder)
          assert.deepEqual(seen(fs, folder, steps), seen(nodeFileSystem, folder, steps))
          assert.deepEqual(disk.violations, [])
        } finally {
          rmSync(folder, { recursive: true })
        }
      }),
      { numRuns: 200 }
    )
  })

  test('does the same again with the same seed, and something else with another', () => {
    const run = (seed: number): string => {
      const { disk, fs, fd } = prepared(seed)
      for (let i = 0; i < 20; i++) append(fs, fd, `${i} `)
      disk.crash({ keep: 'synced' })
      return text(disk)
    }
    assert.equal(run(7), run(7))
    assert.ok(outcomes(run).size > 100)
  })
})

describe('the end of the process', () => {
  test('leaves all that was written, and all names', () => {
    const { disk, fs, fd } = prepared(1)
    append(fs, fd, 'written')
    fs.renameSync(PATH, '/journal/renamed')
    fs.openSync('/journal/other', 'wx+')
    disk.crash({ keep: 'cache' })
    assert.equal(text(disk, '/journal/renamed'), 'written')
    assert.deepEqual(disk.files, ['/journal/other', '/journal/renamed'])
    assert.deepEqual(disk.openFiles, [])
  })

  test('does not sync anything: the machine may go down later', () => {
    assert.ok(
      outcomes(seed => {
        const { disk, fs, fd } = prepared(seed)
        append(fs, fd, 'written')
        disk.crash({ keep: 'cache' })
        disk.crash({ keep: 'synced' })
        return text(disk)
      }).has('')
    )
  })

  test('takes the file system away from what is left of it, and not from the next one', () => {
    const { disk, fs, fd } = prepared(1)
    disk.crash({ keep: 'cache' })
    const next = disk.mount()
    const nextFd = next.openSync(PATH, 'r+')
    assert.equal(nextFd, fd, 'the same number, and yet')
    const bytes = Buffer.from('of the dead')
    const calls: (() => unknown)[] = [
      () => fs.writeSync(fd, bytes, 0, bytes.length, 0),
      () => fs.readSync(fd, bytes, 0, bytes.length, 0),
      () => fs.ftruncateSync(fd, 0),
      () => fs.fdatasyncSync(fd),
      () => fs.closeSync(fd),
      () => fs.sizeSync(fd),
      () => fs.openSync('/journal/new', 'wx+'),
      () => fs.renameSync(PATH, '/journal/renamed'),
      () => fs.unlinkSync(PATH),
      () => fs.mkdirSync('/other'),
      () => fs.readdirSync('/journal'),
      () => fs.syncDirectorySync('/journal')
    ]
    for (const call of calls) assert.throws(call, { code: 'ESHUTDOWN' }, String(call))
    const never = (): void => assert.fail('called back')
    fs.write(fd, bytes, 0, bytes.length, 0, never)
    fs.unlink(PATH, never)
    disk.settle()
    assert.deepEqual([disk.files, disk.openFiles, text(disk)], [[PATH], [PATH], ''])
    assert.deepEqual(disk.violations, [])
  })

  test('may let asynchronous calls take effect, wholly, in part or not at all, and calls nobody back', () => {
    const seen = outcomes(seed => {
      const { disk, fs, fd } = prepared(seed)
      fs.write(fd, Buffer.from('abc'), 0, 3, 0, () => assert.fail('called back'))
      fs.unlink(PATH, () => assert.fail('called back'))
      disk.crash({ keep: 'cache' })
      assert.equal(disk.waiting, 0)
      return disk.files.length === 0 ? 'unlinked' : text(disk)
    })
    assert.deepEqual([...seen].sort(), ['', 'a', 'ab', 'abc', 'unlinked'])
  })
})

describe('a power failure', () => {
  test('leaves what was synced', () => {
    outcomes(seed => {
      const { disk, fs, fd } = prepared(seed)
      append(fs, fd, 'synced')
      fs.fdatasyncSync(fd)
      append(fs, fd, ' and not synced')
      disk.crash({ keep: 'synced' })
      assert.match(text(disk), /^synced/)
      disk.crash({ keep: 'synced' })
    })
  })

  test('leaves of a write that was not synced all, nothing, a start, an end, or zeros', () => {
    const seen = outcomes(seed => {
      const { disk, fs, fd } = prepared(seed)
      append(fs, fd, 'abc')
      disk.crash({ keep: 'synced' })
      return text(disk)
    })
    assert.deepEqual([...seen].sort(), ['', '000', '00c', '0bc', 'a', 'ab', 'abc'])
  })

  test('loses writes one by one: a later one may survive an earlier one', () => {
    const seen = outcomes(seed => {
      const { disk, fs, fd } = prepared(seed)
      append(fs, fd, 'a')
      append(fs, fd, 'b')
      disk.crash({ keep: 'synced' })
      return text(disk)
    })
    assert.deepEqual([...seen].sort(), ['', '0', '00', '0b', 'a', 'a0', 'ab'])
  })

  test('is over when it is over: the next one takes only what was written since', () => {
    const seen = outcomes(seed => {
      const { disk, fs, fd } = prepared(seed)
      append(fs, fd, 'abc')
      disk.crash({ keep: 'synced' })
      const survived = text(disk)
      const next = disk.mount()
      next.openSync('/journal/new', 'wx+')
      disk.crash({ keep: 'synced' })
      assert.equal(text(disk), survived)
      return disk.files.length
    })
    assert.deepEqual([...seen].sort(), [1, 2])
  })

  test('leaves what a write was given, whatever became of the buffer', () => {
    const seen = outcomes(seed => {
      const { disk, fs, fd } = prepared(seed)
      const bytes = Buffer.from('a')
      fs.writeSync(fd, bytes, 0, 1, 0)
      bytes.write('b')
      disk.crash({ keep: 'synced' })
      return text(disk)
    })
    assert.deepEqual([...seen].sort(), ['', '0', 'a'])
  })

  test('does not make zeros of bytes that were there before', () => {
    const seen = outcomes(seed => {
      const { disk, fs, fd } = prepared(seed)
      append(fs, fd, 'old')
      fs.fdatasyncSync(fd)
      fs.writeSync(fd, Buffer.from('NEW'), 0, 3, 0)
      disk.crash({ keep: 'synced' })
      return text(disk)
    })
    assert.deepEqual([...seen].sort(), ['NEW', 'NEd', 'Nld', 'oEW', 'olW', 'old'])
  })

  test('may undo a truncation', () => {
    const seen = outcomes(seed => {
      const { disk, fs, fd } = prepared(seed)
      append(fs, fd, 'text')
      fs.fdatasyncSync(fd)
      fs.ftruncateSync(fd, 1)
      disk.crash({ keep: 'synced' })
      return text(disk)
    })
    assert.deepEqual([...seen].sort(), ['t', 'text'])
  })

  test('keeps what a sync began with, not what was written under it', () => {
    const seen = outcomes(seed => {
      const { disk, fs, fd } = prepared(seed)
      append(fs, fd, 'a')
      let isSynced = false
      fs.fdatasync(fd, error => (isSynced = error === null))
      append(fs, fd, 'b')
      disk.settle()
      assert.ok(isSynced)
      disk.crash({ keep: 'synced' })
      return text(disk)
    })
    assert.deepEqual([...seen].sort(), ['a', 'a0', 'ab'])
  })

  test('may take what a failed sync was about, though a later one succeeded', () => {
    const seen = outcomes(seed => {
      const { disk, fs, fd } = prepared(seed)
      append(fs, fd, 'a')
      disk.fail('sync', 'EIO')
      assert.throws(() => fs.fdatasyncSync(fd), { code: 'EIO' })
      append(fs, fd, 'b')
      fs.fdatasyncSync(fd)
      assert.equal(text(disk), 'ab', 'a process sees no difference')
      disk.crash({ keep: 'synced' })
      return text(disk)
    })
    assert.deepEqual([...seen].sort(), ['0b', 'ab'])
  })
})

describe('names after a power failure', () => {
  test('are those that were synced', () => {
    outcomes(seed => {
      const { disk, fs } = prepared(seed)
      fs.renameSync(PATH, '/journal/renamed')
      fs.openSync('/journal/new', 'wx+')
      fs.syncDirectorySync('/journal')
      disk.crash({ keep: 'synced' })
      assert.deepEqual(disk.files, ['/journal/new', '/journal/renamed'])
    })
  })

  test('are as they were at some moment since', () => {
    const seen = outcomes(seed => {
      const { disk, fs } = prepared(seed)
      fs.openSync('/journal/new', 'wx+')
      fs.renameSync('/journal/new', PATH)
      fs.unlinkSync(PATH)
      disk.crash({ keep: 'synced' })
      return disk.files.join()
    })
    assert.deepEqual([...seen].sort(), ['', PATH, `${PATH},/journal/new`])
  })

  test('may bring back a file that was removed, with what is in it', () => {
    const seen = outcomes(seed => {
      const { disk, fs, fd } = prepared(seed)
      append(fs, fd, 'kept')
      fs.fdatasyncSync(fd)
      fs.unlinkSync(PATH)
      disk.crash({ keep: 'synced' })
      return disk.files.length === 0 ? 'gone' : text(disk)
    })
    assert.deepEqual([...seen].sort(), ['gone', 'kept'])
  })

  test('may have lost a file, although its content was synced', () => {
    const seen = outcomes(seed => {
      const { disk, fs } = prepared(seed)
      fs.fdatasyncSync(fs.openSync('/journal/new', 'wx+'))
      disk.crash({ keep: 'synced' })
      return disk.files.length
    })
    assert.deepEqual([...seen].sort(), [1, 2])
  })

  test('are synced for one directory, and in order for those before', () => {
    outcomes(seed => {
      const { disk, fs } = prepared(seed)
      fs.mkdirSync('/other')
      fs.openSync('/other/first', 'wx+')
      fs.renameSync('/other/first', '/journal/second')
      fs.syncDirectorySync('/journal')
      disk.crash({ keep: 'synced' })
      assert.deepEqual(disk.files, [PATH, '/journal/second'])
    })
    const seen = outcomes(seed => {
      const { disk, fs } = prepared(seed)
      fs.mkdirSync('/other')
      fs.openSync('/other/first', 'wx+')
      fs.syncDirectorySync('/journal')
      disk.crash({ keep: 'synced' })
      return disk.files.length
    })
    assert.deepEqual([...seen].sort(), [1, 2])
  })
})

describe('asynchronous calls', () => {
  test('wait until they are told, and complete in any order', () => {
    const seen = outcomes(seed => {
      const { disk, fs, fd } = prepared(seed)
      const order: string[] = []
      for (const name of ['a', 'b', 'c']) fs.write(fd, Buffer.from(name), 0, 1, 0, () => order.push(name))
      assert.deepEqual([order.length, disk.waiting, text(disk)], [0, 3, ''])
      disk.settle()
      assert.equal(text(disk), order.at(-1))
      return order.join('')
    })
    assert.deepEqual([...seen].sort(), ['abc', 'acb', 'bac', 'bca', 'cab', 'cba'])
  })

  test('read their buffer when they complete: it is not free before', () => {
    const { disk, fs, fd } = prepared(1)
    const bytes = Buffer.from('before')
    fs.write(fd, bytes, 0, 6, 0, () => {})
    bytes.write('after!')
    disk.settle()
    assert.equal(text(disk), 'after!')
  })

  test('give their results and errors, and settle what begins meanwhile', () => {
    const { disk, fs, fd } = prepared(1)
    const results: unknown[] = []
    fs.write(fd, Buffer.from('xabcx'), 1, 3, 0, (...result) => {
      results.push(['write', ...result])
      const bytes = Buffer.alloc(10, '-')
      fs.read(fd, bytes, 2, 8, 1, (...read) => {
        results.push(['read', ...read, bytes.toString()])
        fs.unlink('/journal/none', error => results.push(['unlink', error?.code]))
      })
    })
    disk.settle()
    assert.deepEqual(results, [
      ['write', null, 3],
      ['read', null, 2, '--bc------'],
      ['unlink', 'ENOENT']
    ])
  })

  test('complete by themselves where that was asked for', async () => {
    const disk = new SimulatedDisk({ choose: seededChoice(1), completion: 'immediate' })
    const fs = disk.mount()
    const fd = fs.openSync('/file', 'wx+')
    await new Promise<void>(resolve => fs.write(fd, Buffer.from('a'), 0, 1, 0, () => fs.fdatasync(fd, () => resolve())))
    assert.equal(disk.contentOf('/file').toString(), 'a')
  })
})

describe('faults', () => {
  test('fail the calls that they are for, so often, after so many', () => {
    const { disk, fs, fd } = prepared(1)
    disk.fail(['write', 'open'], 'EROFS', { after: 1, times: 2 })
    const results = Array.from({ length: 5 }, () => {
      try {
        return append(fs, fd, 'a')
      } catch (error) {
        return (error as NodeJS.ErrnoException).code
      }
    })
    assert.deepEqual(results, [1, 'EROFS', 'EROFS', 1, 1])
    assert.equal(disk.callsOf('write'), 5)
    disk.fail('open', 'EACCES', { times: Infinity })
    for (let i = 0; i < 3; i++)
      assert.throws(() => fs.openSync(PATH, 'r'), { code: 'EACCES', syscall: 'open', path: PATH })
    disk.heal()
    fs.closeSync(fs.openSync(PATH, 'r'))
  })

  test('fail asynchronous calls as well', () => {
    const { disk, fs, fd } = prepared(1)
    const codes: unknown[] = []
    disk.fail(['write', 'read', 'sync', 'unlink'], 'EIO', { times: Infinity })
    fs.write(fd, Buffer.from('a'), 0, 1, 0, error => codes.push(error?.code))
    fs.read(fd, Buffer.alloc(1), 0, 1, 0, error => codes.push(error?.code))
    fs.fdatasync(fd, error => codes.push(error?.code))
    fs.unlink(PATH, error => codes.push(error?.code))
    disk.settle()
    assert.deepEqual([codes, disk.files], [['EIO', 'EIO', 'EIO', 'EIO'], [PATH]])
  })

  test('of a write leave any part of it', () => {
    const seen = outcomes(seed => {
      const { disk, fs, fd } = prepared(seed)
      disk.fail('write', 'EIO')
      assert.throws(() => append(fs, fd, 'abc'), { code: 'EIO' })
      return text(disk)
    })
    assert.deepEqual([...seen].sort(), ['', 'a', 'ab', 'abc'])
  })

  test('of a close free the descriptor all the same', () => {
    const { disk, fs, fd } = prepared(1)
    disk.fail('close', 'EIO')
    assert.throws(() => fs.closeSync(fd), { code: 'EIO' })
    assert.deepEqual(disk.openFiles, [])
  })

  test('make reads and writes short, by at least a byte and never to nothing', () => {
    const seen = outcomes(seed => {
      const { disk, fs, fd } = prepared(seed)
      disk.shorten('write')
      const written = append(fs, fd, 'abcd')
      assert.equal(text(disk), 'abcd'.slice(0, written))
      append(fs, fd, 'abcd'.slice(written))
      disk.shorten('read', 1)
      const bytes = Buffer.alloc(4)
      const read = fs.readSync(fd, bytes, 0, 4, 0)
      assert.equal(fs.readSync(fd, bytes, read, 4 - read, read), 4 - read)
      assert.equal(bytes.toString(), 'abcd')
      return `${written} ${read}`
    })
    assert.equal(seen.size, 9)
    assert.ok(![...seen].some(one => /[04]/.test(one)))
  })

  test('of the stored bytes stay, also through a power failure', () => {
    const { disk, fs, fd } = prepared(1)
    append(fs, fd, 'abcd')
    fs.fdatasyncSync(fd)
    disk.damage(PATH, 2, Buffer.from('XXXX'))
    assert.equal(text(disk), 'abXX')
    disk.crash({ keep: 'synced' })
    assert.equal(text(disk), 'abXX')
  })
})

describe('a disk that is full', () => {
  test('takes what fits, then nothing, and has room again when files shrink or go', () => {
    const { disk, fs, fd } = prepared(1, { capacity: 10 })
    const other = fs.openSync('/journal/other', 'wx+')
    assert.deepEqual([append(fs, fd, '123456'), append(fs, other, '123456')], [6, 4])
    assert.throws(() => append(fs, other, '1'), { code: 'ENOSPC' })
    assert.equal(fs.writeSync(fd, Buffer.from('abc'), 0, 3, 0), 3, 'what has room already')
    fs.ftruncateSync(fd, 5)
    assert.equal(append(fs, other, '12'), 1)
    fs.unlinkSync(PATH)
    assert.throws(() => append(fs, other, '1'), { code: 'ENOSPC' }, 'it is open')
    fs.closeSync(fd)
    assert.equal(disk.used, 5)
    assert.equal(append(fs, other, '123456'), 5)
    disk.capacity = 12
    assert.equal(append(fs, other, '123456'), 2)
    disk.capacity = 0
    assert.throws(() => append(fs, other, '1'), { code: 'ENOSPC' })
    assert.equal(append(fs, other, ''), 0)
    assert.equal(fs.writeSync(other, Buffer.from('abc'), 0, 3, 0), 3)
  })
})

describe('what no program may do', () => {
  test('is noted: to use what is closed, and to close what is in use', () => {
    const { disk, fs, fd } = prepared(1)
    fs.write(fd, Buffer.from('a'), 0, 1, 0, error => assert.equal(error?.code, 'EBADF'))
    fs.closeSync(fd)
    assert.deepEqual(disk.violations, [`${PATH} was closed under a call`])
    disk.settle()
    assert.throws(() => fs.closeSync(fd), { code: 'EBADF' })
    assert.deepEqual(disk.violations.slice(1), [
      `write of descriptor ${fd}, which is not open`,
      `close of descriptor ${fd}, which is not open`
    ])
  })

  test('is not to close a file when its calls have come back', () => {
    const { disk, fs, fd } = prepared(1)
    fs.fdatasync(fd, () => fs.closeSync(fd))
    disk.settle()
    assert.deepEqual(disk.violations, [])
  })
})
