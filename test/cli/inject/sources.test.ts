import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { InputError } from '../../../cli/inject/input-error.ts'
import { settingsFrom } from '../../../cli/inject/settings.ts'
import { readSources } from '../../../cli/inject/sources.ts'
import { temporaryFolder } from '../../metrics/running-sidecar.ts'

const nothing = (): Promise<Buffer> => Promise.resolve(Buffer.from(''))

/** Says that an InputError with these lines is meant. */
function lines(...expected: (string | RegExp)[]): (error: unknown) => boolean {
  return error => {
    assert.ok(error instanceof InputError)
    const actual = error.message.split('\n')
    assert.equal(actual.length, expected.length, error.message)
    for (const [index, line] of expected.entries()) {
      if (typeof line === 'string') assert.equal(actual[index], line)
      else assert.match(actual[index] ?? '', line)
    }
    return true
  }
}

describe('the files of inject', () => {
  test('are in the order in which they were given; those of a folder in the order of their names', async t => {
    const folder = temporaryFolder(t)
    mkdirSync(join(folder, 'deeper.yaml'))
    for (const name of ['b.yml', 'a.yaml', 'c.json', 'README.md', '.hidden.yaml~'])
      writeFileSync(join(folder, name), name)
    const sources = await readSources(['-', folder, join(folder, 'README.md')], () => Promise.resolve(Buffer.from('é')))
    assert.deepEqual(
      sources.map(({ file, text }) => [file.replace(`${folder}/`, ''), text]),
      [
        ['-', 'é'],
        ['a.yaml', 'a.yaml'],
        ['b.yml', 'b.yml'],
        ['c.json', 'c.json'],
        ['README.md', 'README.md']
      ]
    )
  })

  test('are read once, also when they are given twice', async () => {
    let reads = 0
    const read = (): Promise<Buffer> => Promise.resolve(Buffer.from(String(reads++)))
    assert.deepEqual(await readSources(['-', '-'], read), [{ file: '-', text: '0' }])
  })

  test('that cannot be read are said all at once', async t => {
    const folder = temporaryFolder(t)
    writeFileSync(join(folder, 'latin1.yaml'), Buffer.from([0x61, 0x3a, 0xe9]))
    mkdirSync(join(folder, 'empty'))
    await assert.rejects(
      readSources([join(folder, 'none.yaml'), join(folder, 'latin1.yaml'), join(folder, 'empty')], nothing),
      lines(
        `${folder}/none.yaml: there is no such file`,
        `${folder}/latin1.yaml: is no text in UTF-8`,
        `${folder}/empty: there is no *.yaml, *.yml or *.json in the folder`
      )
    )
  })
})

describe('the settings of inject', () => {
  const none = (): Promise<undefined> => Promise.resolve(undefined)

  test('come from a file, with all mistakes at once', async t => {
    const file = join(temporaryFolder(t), 'settings.yaml')
    writeFileSync(file, 'imag: x\nkafka: {broker: y}\n')
    const named = (line: RegExp): RegExp => new RegExp(`^${file}: ${line.source}`)
    await assert.rejects(
      settingsFrom({ file }, none),
      lines(
        named(/imag: .*image/),
        named(/kafka\.broker: .*brokers/),
        named(/image: is required/),
        named(/kafka\.brokers: is required/)
      )
    )
    await assert.rejects(settingsFrom({ file: `${file}.none` }, none), lines(`${file}.none: there is no such file`))
  })

  test('come from the two options, named as such when they are wrong', async () => {
    const settings = await settingsFrom({ image: 'a/b:1', brokers: 'kafka:9092' }, none)
    assert.deepEqual([settings.image, settings.kafka.brokers], ['a/b:1', 'kafka:9092'])
    await assert.rejects(
      settingsFrom({ image: 'a b', brokers: 'kafka:port' }, none),
      lines(/^--image="a b": /, /^--brokers="kafka:port": /)
    )
  })

  test('whatever the options say, they are values and no YAML', async () => {
    const settings = await settingsFrom({ image: '"1.10"', brokers: 'kafka:9092' }, none)
    assert.equal(settings.image, '"1.10"')
  })
})
