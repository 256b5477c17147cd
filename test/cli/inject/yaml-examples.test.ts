import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Operation } from 'rfc6902'
import { parseManifest } from '../../../cli/inject/manifest.ts'
import { DocumentEdit } from '../../../cli/inject/yaml/edit.ts'
import { spliced, splices } from '../../../cli/inject/yaml/splice.ts'

/** The text with a patch written into its only document. */
function patched(text: string, ...operations: Operation[]): string {
  const { documents, geometry } = parseManifest({ file: 'x', text })
  const edit = new DocumentEdit(documents[0]?.yaml ?? assert.fail(), geometry)
  edit.apply(operations, [])
  return spliced(text, splices(edit))
}

const add = (path: string, value: unknown): Operation => ({ op: 'add', path, value })

describe('what is added to YAML', () => {
  for (const [what, text, operations, expected] of [
    [
      'comes behind the last key, in front of comments that end the block',
      'a:\n  b: 1 # one\n  # b: 2\nc: 3\n',
      [add('/a/x', true)],
      'a:\n  b: 1 # one\n  x: true\n  # b: 2\nc: 3\n'
    ],
    [
      'as the first of a list stays above the comments of what was first',
      'a: # all\n\n# the first\n- 1 # one\n- 2\n',
      [add('/a/0', 0)],
      'a: # all\n- 0\n\n# the first\n- 1 # one\n- 2\n'
    ],
    [
      'in the middle of a list stays above the comments of what comes then',
      'a:\n- 1 # one\n# the second\n- 2\n',
      [add('/a/1', { x: [0], v: {} })],
      'a:\n- 1 # one\n- x:\n  - 0\n  v: {}\n# the second\n- 2\n'
    ],
    [
      'in several places comes to each of them',
      'a:\n- b: 1\n- c: 2\n',
      [add('/a/0/x', 1), add('/a/0', 0), add('/a/-', 3), add('/x', 4)],
      'a:\n- 0\n- b: 1\n  x: 1\n- c: 2\n- 3\nx: 4\n'
    ],
    [
      'goes where the author’s indentation would have it',
      'a:\n    b:\n      - c:\n            d: 1\n',
      [add('/a/b/0/c/x', { v: [{ z: 1 }] })],
      'a:\n    b:\n      - c:\n            d: 1\n            x:\n                v:\n                  - z: 1\n'
    ],
    ['below an empty value is a block', 'a: # none\nb: 1\n', [add('/a', { x: 1 })], 'a: # none\n  x: 1\nb: 1\n'],
    [
      'into [] or {} makes a block of it',
      'a: []   # none\nb: {}\n',
      [add('/a/-', { x: 1 }), add('/b/x', [1])],
      'a:   # none\n- x: 1\nb:\n  x:\n  - 1\n'
    ],
    [
      'in place of null is a block',
      'a: null # none\nb: ~\n',
      [add('/a', [1]), add('/b', 'x')],
      'a: # none\n- 1\nb: x\n'
    ],
    [
      'into braces stays between them',
      'a: {b: 1, } # c\n',
      [add('/a/x', { v: 'a,b' }), add('/a/z', 'w[0]')],
      'a: {b: 1, x: {v: "a,b"}, z: "w[0]", } # c\n'
    ],
    [
      'into {} between braces stays there, too',
      'a: {b: {}, c: [], d: ~}\n',
      [add('/a/b/x', 1), add('/a/c/-', 2), add('/a/d', [3])],
      'a: {b: {x: 1}, c: [2], d: [3]}\n'
    ],
    [
      'into brackets on lines has a line',
      'a: [\n  b, # one\n  c # two\n]\n',
      [add('/a/-', 'x'), add('/a/1', 'v')],
      'a: [\n  b, # one\n  v,\n  c, # two\n  x\n]\n'
    ],
    [
      'into brackets on lines with a comma behind the last keeps that',
      'a: [\n  b,\n  &c d, # two\n]\n',
      [add('/a/1', 1), add('/a/-', 'x')],
      'a: [\n  b,\n  1,\n  &c d, # two\n  x,\n]\n'
    ],
    ['into brackets that end with the last item does, too', 'a: [\n  b]\n', [add('/a/-', 'x')], 'a: [\n  b,\n  x]\n'],
    [
      'to keys in double quotes is JSON',
      '"a": {"b": 1, "c": {}}\n"d":\n    "e": 1\n',
      [add('/a/x', ['y']), add('/a/c/z', null)],
      '"a": {"b": 1, "c": {"z": null}, "x": ["y"]}\n"d":\n    "e": 1\n'
    ],
    ['behind a file without an end of its last line needs none', 'a: 1', [add('/x', 2)], 'a: 1\nx: 2'],
    [
      'behind a text on lines is not a part of it',
      'a: |+\n  b\n\nc: |\n  d',
      [add('/x', 1)],
      'a: |+\n  b\n\nc: |\n  d\nx: 1'
    ],
    [
      'has quotes where YAML 1.1 or 1.2 would read something else',
      'a: 1\n',
      [
        add('/x', [
          'yes',
          '0o17',
          '017',
          '1:30',
          'null',
          '- a',
          'a: b',
          'a b',
          '1e3',
          ' a',
          'é',
          'a\nb',
          '2026-01-01',
          '=',
          '<<'
        ])
      ],
      'a: 1\nx:\n- "yes"\n- "0o17"\n- "017"\n- "1:30"\n- "null"\n- "- a"\n- "a: b"\n- a b\n- "1e3"\n- " a"\n- é\n- "a\\nb"\n- "2026-01-01"\n- "="\n- "<<"\n'
    ]
  ] as const) {
    test(what, () => assert.equal(patched(text, ...operations), expected))
  }
})

describe('what is replaced in YAML', () => {
  for (const [what, text, value, expected] of [
    ['keeps its comment and its place', 'a:   30   # s\n', 45, 'a:   45   # s\n'],
    ['keeps its quotes', `a: '30'\n`, "it's", `a: 'it''s'\n`],
    ['keeps its double quotes', 'a: "30"\n', 'x', 'a: "x"\n'],
    ['keeps an anchor that nobody uses', 'a: &b 30\n', 45, 'a: &b 45\n'],
    ['has no tag that would make something else of it', 'a: !!str 30\n', 45, 'a: 45\n'],
    ['is no alias any more, and what that stands for stays', 'b: &b 1\na: *b\n', 45, 'b: &b 1\na: 45\n']
  ] as const) {
    test(what, () => assert.equal(patched(text, { op: 'replace', path: '/a', value }), expected))
  }
})

test('what an operation adds can be changed by the next one, and the patch stays as it is', () => {
  const operations = [add('/x', { v: [1] }), add('/x/v/0', 0), add('/x/z', 2)]
  const before = structuredClone(operations)
  assert.equal(patched('a: 1\n', ...operations), 'a: 1\nx:\n  v:\n  - 0\n  - 1\n  z: 2\n')
  assert.deepEqual(operations, before)
})
